//! The bridge to production code: turns the model's small numbers into real entries, facts and statuses, calls
//! `decide`, `recover`, `status::render` and `rebuild`, and turns their answers back. Decides nothing itself.
//!
//! All of these are pure, so each is asked once for the same facts and its answer is remembered.

use super::mutation::Mutation;
use super::state::{
    Age, Entry, Life, Link, NONCES, Nonce, Phase, RECEIPTS, Request, Seen, Service, Set, Share, Shown, Sight,
    Status, Why, bit,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use onetimeshare::api::OneTimeShare;
use onetimeshare::api::condition::{Reason, STALLED};
use onetimeshare::api::share::{DeletionPolicy, OneTimeShareStatus, ProviderRef, ShareState};
use onetimeshare::ledger as real;
use onetimeshare::ledger::rebuild::{is_complete, rebuild};
use onetimeshare::onetime::{
    MetadataKey, Recent, RecentReceipt, State as ReceiptState, Via, mask_class, mask_forms,
};
use onetimeshare::problem::Problem;
use onetimeshare::share::decide::recover::{self, History, Lookup, Patience, Resolution};
use onetimeshare::share::decide::{
    Facts, NEIGHBOUR_GRACE, StatusClaim, Step, Telling, decide, may_tell as may_be_told, needs_namespace,
};
use onetimeshare::share::inputs::fields::Fields;
use onetimeshare::share::inputs::request::{FINGERPRINT_VERSION, Request as Parsed};
use onetimeshare::share::status::{View, render};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

const CLUSTER: &str = "this-cluster";
const RECIPIENT: &str = "dave@example.com";
const DEADLINE: u64 = 30;
const PATIENCE: Patience = Patience {
    settling: Duration::from_secs(60),
    unreachable: Duration::from_secs(3600),
    interval: Duration::from_secs(10),
};
/// Specs of a share differ in their `requestID`.
const IDS: [&str; 3] = ["A", "B", "C"];

/// What the reconciler does next, in the model's numbers.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Ignore,
    ReadShare,
    Show(Status),
    Rebuild(Entry),
    /// The entry is of this object from now on.
    TakeOver,
    Resolve,
    Send {
        request: Request,
        burn_first: bool,
    },
    Revoke,
    Burn,
}

/// Facts that `decide` was asked about.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Asked {
    mails: bool,
    share: Share,
    live: bool,
    age: Age,
    entry: Option<Entry>,
    /// Whether there ever was an entry that is missing now.
    known: bool,
    mutation: Option<Mutation>,
}

thread_local! {
    static FOUND: RefCell<HashMap<Search, Found>> = RefCell::default();
    static ANSWERS: RefCell<HashMap<Asked, (Act, bool)>> = RefCell::default();
}

/// Asks `decide` what to do for a share, and whether that needs the namespace to be ours.
pub fn act(
    mails: bool,
    seen: &Seen,
    entry: Option<&Entry>,
    known: bool,
    live: bool,
    age: Age,
    mutation: Option<Mutation>,
) -> (Act, bool) {
    let asked = Asked {
        mails,
        share: seen.share,
        live,
        age,
        entry: entry.copied(),
        known: known && entry.is_none(),
        mutation,
    };
    ANSWERS.with_borrow_mut(|answers| *answers.entry(asked).or_insert_with(|| ask(&asked)))
}

fn ask(asked: &Asked) -> (Act, bool) {
    let Asked {
        mails,
        share,
        live,
        age,
        ..
    } = *asked;
    let entry = asked.entry.as_ref().map(|entry| real_entry(mails, entry));
    let request = parsed(mails, share.spec);
    let status = real_status(mails, &share.status);
    let told = status.as_ref().map(|status| StatusClaim {
        request: status
            .request_hash
            .as_deref()
            .and_then(real::RequestKey::from_status_form),
        attempt: status.attempt.as_deref(),
        complete: is_complete(status),
        noted: false,
    });
    let uid = share.uid.to_string();
    let burn = share.burn.map(nonce_text);
    let facts = Facts {
        uid: &uid,
        generation: share.generation.into(),
        request: Ok(request),
        suspend: false,
        deleting: false,
        burn: burn.as_deref(),
        status_claim: match asked.mutation {
            Some(Mutation::NothingTold) if entry.is_none() => StatusClaim::default(),
            _ => told.unwrap_or_default(),
        },
        live: live || asked.mutation == Some(Mutation::EverythingLive),
        cluster: CLUSTER,
        content: None,
        entry_was_known: asked.known && asked.mutation != Some(Mutation::EntryForgotten),
        vanished: None,
        is_of_older_definition: false,
        attempt_known_for: match asked.mutation {
            Some(Mutation::NoDeadline) => known_for(Age::Over),
            _ => known_for(age),
        },
        sent_ago: None,
        inputs: None,
        waiting_since: None,
        max_wait: Duration::MAX,
        now: at(600),
    };
    let step = decide(&facts, entry.as_ref());
    let needs_namespace = needs_namespace(&step, entry.is_some());
    let act = match step {
        Step::Ignore => Act::Ignore,
        Step::ReadLive => Act::ReadShare,
        // `write::lost`: what the status tells is all that is left.
        Step::Requeue {
            problem: Some(problem),
            ..
        } if problem.reason == Reason::LedgerLost => Act::Show(Status {
            told: share.status.told,
            link: share.status.link,
            ..shown(mails, &share, None, Some(&problem))
        }),
        Step::Requeue { problem, .. } => Act::Show(shown(mails, &share, entry.as_ref(), problem.as_ref())),
        Step::WaitOutDeadline(_) => Act::Show(shown(mails, &share, entry.as_ref(), None)),
        Step::Rebuild(key) => Act::Rebuild(rebuilt(&share, status, key)),
        Step::Resolve => Act::Resolve,
        Step::Send { request, burn_first } => Act::Send {
            request: small_request(&request),
            burn_first,
        },
        Step::Revoke => Act::Revoke,
        Step::Burn => Act::Burn,
        // Deletion policy and fields never change here: only another object takes over an entry.
        Step::UpdatePolicy { .. } => Act::TakeOver,
        step @ (Step::ReadContent | Step::ReadInputs | Step::Deliver) => {
            panic!("not part of this model: {step:?}")
        }
    };
    (act, needs_namespace)
}

/// Whether an operator without the namespace may tell of a share, when nobody else did for long.
pub fn may_tell(share: &Share) -> bool {
    let status = real_status(false, &share.status);
    may_be_told(status.as_ref(), share.generation.into(), NEIGHBOUR_GRACE) == Telling::Now
}

/// The status that `show` would write.
pub fn status(mails: bool, share: &Share, entry: Option<&Entry>) -> Status {
    let entry = entry.map(|entry| real_entry(mails, entry));
    shown(mails, share, entry.as_ref(), None)
}

fn shown(mails: bool, share: &Share, entry: Option<&real::Entry>, problem: Option<&Problem>) -> Status {
    let print = print(mails, share.spec);
    let status = render(&View {
        generation: share.generation.into(),
        entry,
        current: entry.is_some_and(|entry| entry.request.fingerprint == print),
        edited: &[],
        problem,
        previous: None,
        now: at(600),
    });
    let told = status
        .request_hash
        .as_deref()
        .and_then(real::RequestKey::from_status_form);
    let number = |text: &String| {
        text.rsplit('-')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number")
    };
    Status {
        generation: share.generation,
        told: told
            .map(|key| small_request(&key))
            .zip(status.attempt.as_ref().map(number)),
        link: status.link.as_ref().map(number),
        shown: match status.state.expect("every status has a state") {
            ShareState::Pending => Shown::Pending,
            ShareState::Shared => Shown::Shared,
            ShareState::Received => Shown::Received,
            ShareState::Burned => Shown::Burned,
            ShareState::Failed => Shown::Failed,
            ShareState::Expired => Shown::Expired,
        },
    }
}

/// What the service's list and the ledger together say about an attempt.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Search {
    pub nonce: Nonce,
    pub receipts: Vec<(u8, Life)>,
    pub entries: Vec<Entry>,
    pub look: Sight,
    /// What the operator knew before it asked for the list.
    pub expected: Set,
    /// The receipts that other attempts have claimed.
    pub claimed: Set,
    pub service: Service,
    pub age: Age,
    pub found_none: bool,
    pub settled: bool,
    pub mutation: Option<Mutation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Adopt(u8),
    SendAgain,
    LookAgain { none: bool },
    Hold,
}

/// When the list is made, by the operators' clock: soon after the attempt, and after every receipt.
const LISTED: i64 = 20;

/// What `find` makes of the list.
fn looked(search: &Search, attempt: &real::Attempt) -> recover::LookupResult {
    let entries: Vec<_> = search
        .entries
        .iter()
        .map(|entry| real_entry(true, entry))
        .collect();
    let mut known = recover::gather(attempt, &entries);
    let claimed = (0..RECEIPTS as u8).filter(|receipt| search.claimed & bit(*receipt) != 0);
    known
        .keys
        .extend(claimed.map(|receipt| real::key_hash(&key_text(receipt))));
    if search.mutation != Some(Mutation::AnyList) {
        let expected = (0..RECEIPTS as u8).filter(|receipt| search.expected & bit(*receipt) != 0);
        let expected: Vec<_> = expected
            .map(|receipt| expected_entry(receipt, search.service))
            .collect();
        known = known.expecting(&route(), &expected);
    }
    let Service {
        clock_offset,
        tells_clock,
        raises_ttl,
    } = search.service;
    let shown = search
        .receipts
        .iter()
        .filter(|_| search.mutation != Some(Mutation::TtlFits) || !raises_ttl);
    let recent = Recent {
        receipts: shown
            .map(|receipt| real_receipt(receipt, search.service, search.look))
            .collect(),
        via: Via::V2,
        bytes: 0,
        now: match search.mutation {
            Some(Mutation::ClockOfOurs) => Some(at(LISTED)),
            _ => tells_clock.then(|| at(LISTED + clock_offset)),
        },
    };
    let clocks = recover::Clocks {
        ago: Duration::from_secs(LISTED.unsigned_abs()),
        now: at(LISTED),
    };
    match recover::find(attempt, &recent, &known, clocks) {
        recover::LookupResult::Unclear if search.mutation == Some(Mutation::UnclearIsNone) => {
            recover::LookupResult::None
        }
        found => found,
    }
}

/// An entry that knows this receipt, as the ledger had it before the list.
fn expected_entry(receipt: u8, service: Service) -> real::Entry {
    let link = Link {
        nonce: 0,
        receipt,
        keyed: true,
    };
    let mut link = real_share(true, &link);
    link.facts.created_at = created(receipt, service);
    link.facts.clock_offset_seconds = Some(service.clock_offset);
    let phase = Phase::Idle;
    let request = Request { spec: 0, epoch: 0 };
    let idle = Entry {
        uid: 1,
        generation: 1,
        request,
        phase,
        superseded: 0,
        found_none: 0,
        resolved: 0,
        past: 0,
    };
    real::Entry {
        phase: real::Phase::Shared(link),
        ..real_entry(true, &idle)
    }
}

/// By the service's clock. One after the other.
fn created(receipt: u8, service: Service) -> Timestamp {
    at(1 + i64::from(receipt) + service.clock_offset)
}

/// Asks `recover` about an attempt that mails.
pub fn search(search: Search) -> Found {
    FOUND.with_borrow_mut(|found| match found.get(&search) {
        Some(found) => *found,
        None => {
            let answer = found_by(&search);
            found.insert(search, answer);
            answer
        }
    })
}

fn found_by(search: &Search) -> Found {
    let attempt = real_attempt(true, search.nonce, false);
    let look = match search.look {
        Sight::NotYet => Lookup::NotYet,
        Sight::Never => Lookup::Never,
        Sight::List | Sight::Hidden | Sight::Old => Lookup::Found(looked(search, &attempt)),
    };
    let one_look_is_enough = search.mutation == Some(Mutation::OneLook);
    let history = History {
        found_none: match (search.found_none, search.settled || one_look_is_enough) {
            (true, true) => Some(PATIENCE.settling),
            (true, false) => Some(Duration::ZERO),
            (false, _) => one_look_is_enough.then_some(PATIENCE.settling),
        },
        known_for: known_for(search.age),
    };
    match recover::resolve(&attempt, Some(&look), history, PATIENCE) {
        Resolution::Adopt(key) => Found::Adopt(receipt_number(&key)),
        Resolution::SendAgain => Found::SendAgain,
        Resolution::LookAgain(_) => Found::LookAgain {
            none: look == Lookup::Found(recover::LookupResult::None),
        },
        Resolution::Hold => Found::Hold,
    }
}

/// Whether `recover` sends again without a look when nobody is mailed.
pub fn sends_again_unseen(nonce: Nonce) -> bool {
    let attempt = real_attempt(false, nonce, false);
    recover::resolve(&attempt, None, History::default(), PATIENCE) == Resolution::SendAgain
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time") + SignedDuration::from_secs(seconds)
}

fn known_for(age: Age) -> Duration {
    match age {
        Age::Young => Duration::from_secs(1),
        Age::Over => Duration::from_secs(DEADLINE) + real::SLACK,
        Age::Stale => PATIENCE.unreachable,
    }
}

fn parsed(mails: bool, spec: u8) -> &'static Parsed {
    static PARSED: LazyLock<Vec<Parsed>> = LazyLock::new(|| {
        let parse = |mails: bool, id: &str| {
            let spec = serde_json::json!({
                "secretRef": {"name": "value"}, "requestID": id, "recipient": mails.then_some(RECIPIENT),
            });
            Parsed::parse(&serde_json::from_value(spec).expect("a spec")).expect("a good spec")
        };
        [false, true]
            .iter()
            .flat_map(|mails| IDS.map(|id| parse(*mails, id)))
            .collect()
    });
    &PARSED[usize::from(mails) * IDS.len() + usize::from(spec)]
}

fn print(mails: bool, spec: u8) -> String {
    static PRINTS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let print = |mails, spec| {
            parsed(mails, spec)
                .fingerprint(FINGERPRINT_VERSION)
                .expect("known version")
        };
        [false, true]
            .iter()
            .flat_map(|mails| (0..IDS.len() as u8).map(|spec| print(*mails, spec)))
            .collect()
    });
    PRINTS[usize::from(mails) * IDS.len() + usize::from(spec)].clone()
}

fn real_request(mails: bool, request: Request) -> real::RequestKey {
    real::RequestKey {
        version: FINGERPRINT_VERSION,
        fingerprint: print(mails, request.spec),
        epoch: request.epoch.into(),
    }
}

fn small_request(key: &real::RequestKey) -> Request {
    let mut all = [false, true]
        .into_iter()
        .flat_map(|mails| (0..IDS.len() as u8).map(move |spec| (mails, spec)));
    let known = all.find(|(mails, spec)| print(*mails, *spec) == key.fingerprint);
    Request {
        spec: known.expect("a fingerprint of this model").1,
        epoch: key.epoch.try_into().expect("few epochs"),
    }
}

fn nonce_text(nonce: Nonce) -> String {
    format!("attempt-{nonce}")
}

fn key_text(receipt: u8) -> String {
    char::from(b'a' + receipt).to_string().repeat(31)
}

fn receipt_number(key: &MetadataKey) -> u8 {
    key.expose().as_bytes()[0] - b'a'
}

fn route() -> real::Route {
    real::Route {
        provider: ProviderRef::default(),
        endpoint: "https://eu.onetimesecret.com/".into(),
        ca_bundle: None,
        account: Some("ops@example.com".into()),
        share_domain: None,
    }
}

fn real_attempt(mails: bool, nonce: Nonce, held: bool) -> real::Attempt {
    real::Attempt {
        nonce: nonce_text(nonce),
        started_at: at(0),
        deadline_seconds: DEADLINE,
        slack_seconds: real::SLACK.as_secs(),
        route: route(),
        ttl_seconds: 86400,
        recipient: mails.then(|| real::Recipient {
            class: mask_class(RECIPIENT),
            forms: mask_forms(RECIPIENT),
        }),
        passphrase: None,
        target: None,
        needs_decision: held,
        found_none: false,
        metadata_key: None,
        boot: None,
    }
}

fn real_receipt((receipt, life): &(u8, Life), service: Service, sight: Sight) -> RecentReceipt {
    RecentReceipt {
        metadata_key: MetadataKey::parse(&key_text(*receipt)).expect("a key"),
        secret_key: None,
        state: match life {
            Life::Alive => ReceiptState::New,
            Life::Received => ReceiptState::Received,
            Life::Burned => ReceiptState::Burned,
            Life::Expired => ReceiptState::Expired,
        },
        ttl_seconds: Some(if service.raises_ttl { 2 * 86400 } else { 86400 }),
        recipient: match sight {
            Sight::Hidden => Vec::new(),
            _ => mask_forms(RECIPIENT)[..1].to_vec(),
        },
        created_at: created(*receipt, service),
        updated_at: None,
        received_at: None,
        burned_at: None,
        passphrase_required: None,
        share_domain: None,
    }
}

fn facts(mails: bool) -> real::LinkFacts {
    real::LinkFacts {
        asked_ttl_seconds: 86400,
        ttl_seconds: 86400,
        created_at: at(1),
        expires_at: at(86400),
        mail_asked: mails,
        recipients: Vec::new(),
        mailed_elsewhere: false,
        passphrase_required: false,
        share_domain: None,
        custid: "ops@example.com".into(),
        clock_offset_seconds: None,
    }
}

fn real_share(mails: bool, link: &Link) -> real::Link {
    real::Link {
        attempt: nonce_text(link.nonce),
        route: route(),
        metadata_key: link.keyed.then(|| real::SecretText::new(key_text(link.receipt))),
        secret_key: real::SecretText::new(format!("secret-{}", link.receipt)),
        url: real::SecretText::new(format!("https://eu.onetimesecret.com/secret/s-{}", link.receipt)),
        passphrase: None,
        undelivered: None,
        outcome_unknown: false,
        facts: facts(mails),
    }
}

fn reason(why: Why) -> real::BurnReason {
    match why {
        Why::Replaced => real::BurnReason::Replaced,
        Why::Deleted => real::BurnReason::Deleted,
        Why::Asked => real::BurnReason::Asked,
    }
}

fn real_phase(mails: bool, phase: &Phase) -> real::Phase {
    match phase {
        Phase::Idle => real::Phase::Idle,
        Phase::Intent { nonce, held } => real::Phase::Intent(real_attempt(mails, *nonce, *held)),
        Phase::Shared(link) => real::Phase::Shared(real_share(mails, link)),
        Phase::Burning(link, why) => real::Phase::Burning(real::Burning {
            link: real_share(mails, link),
            why: reason(*why),
        }),
        Phase::Finished {
            nonce,
            how,
            why,
            receipt,
        } => real::Phase::Finished(real::Finished {
            attempt: nonce_text(*nonce),
            how: match how {
                Life::Received => real::Ending::Received,
                Life::Burned => real::Ending::Burned,
                Life::Expired => real::Ending::Expired,
                Life::Alive => panic!("a finished link is not alive"),
            },
            at: at(500),
            burned_for: why.map(reason),
            route: route().hash(),
            account: None,
            key_hash: receipt.map(|receipt| real::key_hash(&key_text(receipt))),
            facts: facts(mails),
        }),
    }
}

fn fields(mails: bool, spec: u8) -> Fields {
    static FIELDS: LazyLock<Vec<Fields>> = LazyLock::new(|| {
        [false, true]
            .iter()
            .flat_map(|mails| (0..IDS.len() as u8).map(|spec| parsed(*mails, spec).fields(&owner())))
            .collect()
    });
    FIELDS[usize::from(mails) * IDS.len() + usize::from(spec)].clone()
}

fn owner() -> real::Owner {
    real::Owner {
        namespace: "n".into(),
        name: "s".into(),
    }
}

fn real_entry(mails: bool, entry: &Entry) -> real::Entry {
    let lost = (0..NONCES as Nonce).filter(|nonce| entry.superseded & bit(*nonce) != 0);
    let resolved = (0..NONCES as Nonce).filter(|nonce| entry.resolved & bit(*nonce) != 0);
    let past = (0..RECEIPTS as u8).filter(|receipt| entry.past & bit(*receipt) != 0);
    real::Entry {
        format: real::FORMAT,
        write: String::new(),
        owner: owner(),
        cluster: CLUSTER.into(),
        share_uid: entry.uid.to_string(),
        generation: entry.generation.into(),
        request: real_request(mails, entry.request),
        phase: real_phase(mails, &entry.phase),
        retry: real::Retry::default(),
        deletion: DeletionPolicy::Burn,
        content: None,
        superseded: lost.map(|nonce| lost_attempt(mails, entry, nonce)).collect(),
        past: past.map(|receipt| real::key_hash(&key_text(receipt))).collect(),
        resolved: resolved.map(nonce_text).collect(),
        fields: fields(mails, entry.request.spec),
        crd_uid: None,
    }
}

fn stalled() -> Condition {
    Condition {
        last_transition_time: Time(at(1)),
        message: String::new(),
        observed_generation: None,
        reason: Reason::OtherOperator.as_str().into(),
        status: "True".into(),
        type_: STALLED.into(),
    }
}

fn lost_attempt(mails: bool, entry: &Entry, nonce: Nonce) -> real::Attempt {
    real::Attempt {
        found_none: entry.found_none & bit(nonce) != 0,
        ..real_attempt(mails, nonce, false)
    }
}

fn real_status(mails: bool, status: &Status) -> Option<OneTimeShareStatus> {
    let time = |seconds| Time(at(seconds));
    let state = match status.shown {
        Shown::Nothing => return None,
        Shown::Pending => ShareState::Pending,
        Shown::Shared => ShareState::Shared,
        Shown::Received => ShareState::Received,
        Shown::Burned => ShareState::Burned,
        Shown::Expired => ShareState::Expired,
        Shown::Failed | Shown::Other => ShareState::Failed,
    };
    let told = status.told;
    Some(OneTimeShareStatus {
        observed_generation: Some(status.generation.into()),
        state: Some(state),
        secret_key: status.link.map(|receipt| format!("secret-{receipt}")),
        link: status
            .link
            .map(|receipt| format!("https://eu.onetimesecret.com/secret/s-{receipt}")),
        ttl_seconds: told.map(|_| 86400),
        created_at: told.map(|_| time(1)),
        expires_at: told.map(|_| time(86400)),
        request_hash: told.map(|(request, _)| real_request(mails, request).status_form()),
        attempt: told.map(|(_, nonce)| nonce_text(nonce)),
        conditions: match status.shown {
            Shown::Other => vec![stalled()],
            _ => Vec::new(),
        },
        ..OneTimeShareStatus::default()
    })
}

fn rebuilt(share: &Share, status: Option<OneTimeShareStatus>, key: real::RequestKey) -> Entry {
    let object = OneTimeShare {
        metadata: kube::api::ObjectMeta {
            name: Some("s".into()),
            namespace: Some("n".into()),
            uid: Some(share.uid.to_string()),
            generation: Some(share.generation.into()),
            ..kube::api::ObjectMeta::default()
        },
        spec: serde_json::from_value(serde_json::json!({"secretRef": {"name": "value"}})).expect("a spec"),
        status,
    };
    let entry = rebuild(&object, key, CLUSTER, DeletionPolicy::Burn)
        .expect("decide said that the status is complete");
    let (_, nonce) = share.status.told.expect("a complete status tells the attempt");
    let phase = match &entry.phase {
        real::Phase::Shared(made) => Phase::Shared(Link {
            nonce,
            receipt: share.status.link.expect("a living link is told"),
            keyed: made.metadata_key.is_some(),
        }),
        real::Phase::Finished(end) => Phase::Finished {
            nonce,
            how: match end.how {
                real::Ending::Received => Life::Received,
                real::Ending::Burned => Life::Burned,
                real::Ending::Expired => Life::Expired,
            },
            why: None,
            receipt: None,
        },
        phase => panic!("nothing else is rebuilt: {phase:?}"),
    };
    Entry {
        uid: share.uid,
        generation: share.generation,
        request: small_request(&entry.request),
        phase,
        superseded: 0,
        resolved: 0,
        found_none: 0,
        past: 0,
    }
}
