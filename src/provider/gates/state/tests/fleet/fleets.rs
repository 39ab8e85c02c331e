//! The fleets that are played.

use super::super::played::{S, ask};
use super::service::{Service, WINDOW, Windows};
use super::simulation::Link;
use crate::provider::gates::interval;
use std::time::Duration;

/// The default of `maxConcurrentRequests`.
pub(super) const AT_ONCE: u32 = 8;

/// When the small tenants come: while the large one is paused.
const LATER: Duration = Duration::from_secs(300);

/// A fleet, and what must hold for it.
pub(super) struct Fleet {
    pub(super) name: &'static str,
    pub(super) service: Service,
    pub(super) links: Vec<Link>,
    /// How many windows must be used up before the last link can be sent.
    pub(super) full_windows: u32,
    /// How long the small tenants may wait. None where there are none.
    pub(super) small_within: Option<Duration>,
    /// How many operators meet the limits of one account, and through how many gates in all.
    pub(super) operators: u32,
    pub(super) gates: u32,
}

/// Whether a share is of a small tenant.
pub(super) fn is_small(link: &Link) -> bool {
    link.ask.owner.namespace.starts_with("small")
}

/// So many shares of a tenant.
fn tenant(namespace: &str, count: usize, change: impl Fn(&mut Link)) -> Vec<Link> {
    let mut link = Link {
        operator: 0,
        ask: ask(namespace, ""),
        arrives: Duration::ZERO,
    };
    link.ask.size = AT_ONCE as usize;
    change(&mut link);
    vec![link; count]
}

/// Twenty tenants with ten shares each.
fn small(change: impl Fn(&mut Link)) -> Vec<Link> {
    let tenants = (0..20).flat_map(|number| {
        tenant(&format!("small-{number}"), 10, |link| {
            link.arrives = LATER;
            change(link);
        })
    });
    tenants.collect()
}

fn as_it_is(_: &mut Link) {}

fn mailed(link: &mut Link) {
    link.ask.mails = true;
}

/// Sets `requestsPerMinute` of one operator.
fn rate(per_minute: i64) -> impl Fn(&mut Link) {
    move |link| link.ask.interval = interval(per_minute, 1)
}

fn fleet(name: &'static str, full_windows: u32, links: Vec<Link>) -> Fleet {
    Fleet {
        name,
        service: Service::v0_23(Windows::FirstRequest),
        small_within: None,
        links,
        full_windows,
        operators: 1,
        gates: 1,
    }
}

/// All of them.
pub(super) fn all() -> Vec<Fleet> {
    let mut all = of_one_tenant();
    all.extend(with_small_tenants());
    all.extend(of_several_providers());
    all.extend(of_shards());
    all
}

fn of_one_tenant() -> Vec<Fleet> {
    let mails_and_links = [tenant("large", 1000, mailed), tenant("small", 500, as_it_is)].concat();
    vec![
        fleet("1,000 mails", 19, tenant("large", 1000, mailed)),
        Fleet {
            service: Service::v0_23(Windows::Clock),
            ..fleet(
                "1,000 mails, windows by the clock",
                19,
                tenant("large", 1000, mailed),
            )
        },
        fleet(
            "1,000 mails, `requestsPerMinute: 2`",
            25,
            tenant("large", 1000, |link| {
                mailed(link);
                rate(2)(link);
            }),
        ),
        Fleet {
            small_within: Some(60 * S),
            ..fleet("1,000 mails, and 500 links without", 19, mails_and_links)
        },
        fleet("10,000 links", 9, tenant("large", 10_000, as_it_is)),
        fleet(
            "10,000 links, `requestsPerMinute: 50`",
            10,
            tenant("large", 10_000, rate(50)),
        ),
        Fleet {
            service: Service::v0_23(Windows::FirstRequest).asking_for(0),
            ..fleet(
                "10,000 links, `Retry-After: 0`",
                9,
                tenant("large", 10_000, as_it_is),
            )
        },
        Fleet {
            service: Service::v0_23(Windows::FirstRequest).asking_for(240),
            ..fleet(
                "10,000 links, `Retry-After: 240`",
                9,
                tenant("large", 10_000, as_it_is),
            )
        },
    ]
}

fn with_small_tenants() -> Vec<Fleet> {
    vec![
        Fleet {
            small_within: Some(WINDOW + super::NOTICED),
            ..fleet(
                "10,000 links, and 20 tenants with 10 each later",
                10,
                [tenant("large", 10_000, as_it_is), small(as_it_is)].concat(),
            )
        },
        Fleet {
            small_within: Some(600 * S),
            ..fleet(
                "the same, `requestsPerMinute: 50`",
                11,
                [tenant("large", 10_000, rate(50)), small(rate(50))].concat(),
            )
        },
        Fleet {
            small_within: Some(WINDOW + super::NOTICED),
            ..fleet(
                "1,000 mails, and 20 tenants with one each, at any time",
                20,
                [tenant("large", 1000, mailed), now_and_then()].concat(),
            )
        },
    ]
}

/// Twenty tenants with one mail each, that come in the first hours.
fn now_and_then() -> Vec<Link> {
    let tenants = (0..20u32).flat_map(|number| {
        tenant(&format!("small-{number}"), 1, |link| {
            mailed(link);
            link.arrives = LATER + number * Duration::from_secs(537);
        })
    });
    tenants.collect()
}

fn of_several_providers() -> Vec<Fleet> {
    let through = |provider: &'static str, account: Option<&'static str>| {
        move |link: &mut Link| {
            link.ask.provider.name = provider.into();
            link.ask.target.account = account.map(str::to_owned);
        }
    };
    vec![
        Fleet {
            small_within: Some(60 * S),
            ..fleet(
                "10,000 links, and 500 through an account of their own",
                9,
                [
                    tenant("large", 10_000, as_it_is),
                    tenant("small", 500, through("own", Some("other"))),
                ]
                .concat(),
            )
        },
        Fleet {
            service: Service::v0_26(Windows::FirstRequest),
            gates: 2,
            ..fleet(
                "5,000 links without an account, through two providers",
                4,
                [
                    tenant("one", 2500, through("one", None)),
                    tenant("two", 2500, through("two", None)),
                ]
                .concat(),
            )
        },
    ]
}

fn of_shards() -> Vec<Fleet> {
    let three = |rate: Option<i64>| -> Vec<Link> {
        let of_one = |operator: usize| {
            tenant(&format!("large-{operator}"), 1000, |link| {
                link.operator = operator;
                link.ask.interval = rate.and_then(|rate| interval(rate, 3));
            })
        };
        (0..3).flat_map(of_one).collect()
    };
    vec![
        Fleet {
            operators: 3,
            gates: 3,
            ..fleet("3,000 links in three shards", 2, three(None))
        },
        Fleet {
            operators: 3,
            gates: 3,
            ..fleet(
                "3,000 links in three shards, `requestsPerMinute: 50`",
                3,
                three(Some(50)),
            )
        },
    ]
}
