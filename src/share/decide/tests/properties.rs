//! What holds in all situations.

use super::*;
use proptest::prelude::*;

fn phases() -> impl Strategy<Value = Option<Phase>> {
    prop_oneof![
        Just(None),
        Just(Some(Phase::Idle)),
        Just(Some(Phase::Intent(attempt()))),
        Just(Some(Phase::Intent(on_hold()))),
        Just(Some(Phase::Shared(link()))),
        Just(Some(burning())),
        prop_oneof![
            Just(Ending::Received),
            Just(Ending::Burned),
            Just(Ending::Expired)
        ]
        .prop_map(|how| Some(Phase::Finished(finished(how)))),
    ]
}

fn requests() -> impl Strategy<Value = Result<Request, Problem>> {
    prop_oneof![
        4 => Just(Ok(request("1"))),
        4 => Just(Ok(request("2"))),
        2 => Just(Ok(tidied())),
        1 => Just(Err(Problem::edit(Reason::TtlInvalid, "ttl"))),
    ]
}

fn told() -> impl Strategy<Value = Option<(RequestKey, Option<&'static str>)>> {
    let attempts = prop_oneof![Just(None), Just(Some("nonce")), Just(Some("another"))];
    let epochs = prop_oneof![3 => Just(EPOCH), 1 => 0..EPOCH, 1 => EPOCH + 1..=EPOCH + 2];
    proptest::option::of((prop_oneof![3 => Just("1"), 1 => Just("2")], epochs, attempts))
        .prop_map(|told| told.map(|(id, epoch, attempt)| (key(id, epoch), attempt)))
}

prop_compose! {
    fn fixtures_of_all_kinds()(
        phase in phases(),
        request in requests(),
        uid in prop_oneof![3 => Just(UID), 1 => Just("uid-2")],
        generation in GENERATION - 2..=GENERATION + 2,
        (suspend, deleting, live, elsewhere) in any::<(bool, bool, bool, bool)>(),
        told in told(),
        burn in prop_oneof![3 => Just(None), 1 => Just(Some("nonce")), 1 => Just(Some("another"))],
        known_for in 0..100u64,
        wait in proptest::option::of(-20..20i64),
    ) -> Fixture {
        let mut fixture = Fixture {
            uid, generation, request, suspend, deleting, told, live, burn,
            known_for: Duration::from_secs(known_for),
            ..Fixture::of(phase)
        };
        if let Some(entry) = &mut fixture.entry {
            entry.retry.not_before = wait.map(|seconds| now() + SignedDuration::from_secs(seconds));
            if elsewhere {
                entry.cluster = "another-cluster".into();
            }
        }
        fixture
    }
}

fn sends(step: &Step) -> bool {
    matches!(step, Step::Send { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn one_request_is_sent_once(fixture in fixtures_of_all_kinds()) {
        let nothing_sent = matches!(fixture.entry.as_ref().map(|entry| &entry.phase), None | Some(Phase::Idle));
        if fixture.is_same_request() && !nothing_sent {
            prop_assert!(!sends(&fixture.decide()), "{:?}", fixture.decide());
        }
    }

    #[test]
    fn an_attempt_in_doubt_is_settled_before_anything_is_sent(fixture in fixtures_of_all_kinds()) {
        if let Some(Phase::Intent(attempt)) = fixture.entry.as_ref().map(|entry| &entry.phase) && !attempt.needs_decision {
            let step = fixture.decide();
            prop_assert!(!sends(&step) && step != Step::Burn, "{step:?}");
            if fixture.known_for < DEADLINE + SLACK {
                prop_assert_ne!(step, Step::Resolve);
            }
        }
    }

    #[test]
    fn an_older_generation_does_nothing(fixture in fixtures_of_all_kinds()) {
        if fixture.entry.is_some() && fixture.uid == UID && fixture.generation < GENERATION {
            prop_assert_eq!(fixture.decide(), Step::Ignore);
        }
    }

    #[test]
    fn a_change_acts_only_on_what_was_read_live(fixture in fixtures_of_all_kinds()) {
        if fixture.entry.is_some() && fixture.request.is_ok() && !fixture.is_same_request() && !fixture.live {
            let step = fixture.decide();
            let noted = step == Step::DONE && fixture.request == Ok(tidied());
            prop_assert!(noted || matches!(step, Step::ReadLive | Step::Ignore), "{step:?}");
        }
    }

    #[test]
    fn reading_live_is_asked_for_once(fixture in fixtures_of_all_kinds()) {
        let fixture = Fixture { live: true, ..fixture };
        prop_assert_ne!(fixture.decide(), Step::ReadLive);
    }

    #[test]
    fn a_ledger_behind_the_status_sends_nothing(fixture in fixtures_of_all_kinds()) {
        let Some((told, Some(attempt))) = &fixture.told else { return Ok(()) };
        let asked = fixture.request.as_ref().ok().and_then(|request| request.fingerprint(FINGERPRINT_VERSION));
        let known = fixture.entry.as_ref().map(|entry| &entry.request);
        let unknown = fixture.entry.as_ref().is_none_or(|entry| {
            matches!(entry.phase, Phase::Idle | Phase::Intent(_)) && !entry.knows(attempt)
        });
        // The status tells of a link for what is asked for, and the ledger does not know of it.
        let lost = asked.as_ref() == Some(&told.fingerprint)
            && (known.is_none_or(|known| told.epoch > known.epoch) || (known == Some(told) && unknown));
        if lost {
            let step = fixture.decide();
            prop_assert!(!sends(&step), "{step:?}");
        }
    }

    #[test]
    fn what_is_suspended_or_deleted_sends_nothing(fixture in fixtures_of_all_kinds()) {
        if fixture.suspend || fixture.deleting {
            prop_assert!(!sends(&fixture.decide()));
        }
    }

    #[test]
    fn a_new_request_has_a_new_epoch(fixture in fixtures_of_all_kinds()) {
        if let (Step::Send { request, burn_first }, Some(entry)) = (fixture.decide(), &fixture.entry) {
            let epoch = if fixture.is_same_request() { EPOCH } else { EPOCH + 1 };
            prop_assert_eq!(request.epoch, epoch);
            let ours_and_alive = matches!(entry.phase, Phase::Shared(_)) && entry.cluster == HERE;
            prop_assert_eq!(burn_first, ours_and_alive);
        }
    }

    #[test]
    fn only_the_link_that_a_user_names_is_revoked(fixture in fixtures_of_all_kinds()) {
        let named = fixture.entry.as_ref().is_some_and(|entry| {
            matches!(entry.phase, Phase::Shared(_)) && entry.cluster == HERE && fixture.burn == Some("nonce")
        });
        let older = fixture.uid == UID && fixture.generation < GENERATION;
        let step = fixture.decide();
        prop_assert_eq!(step == Step::Revoke, named && fixture.live && !older, "{:?}", step);
        if named {
            prop_assert!(!sends(&step), "{step:?}");
        }
    }

    #[test]
    fn an_edit_after_the_end_sends_nothing(fixture in fixtures_of_all_kinds()) {
        let over = matches!(fixture.entry.as_ref().map(|entry| &entry.phase), Some(Phase::Finished(_)));
        if over && fixture.uid == UID && fixture.request == Ok(tidied()) {
            prop_assert!(!sends(&fixture.decide()));
        }
    }

    #[test]
    fn an_end_is_final(fixture in fixtures_of_all_kinds()) {
        let told_later = fixture.told.as_ref().is_some_and(|(told, _)| told.epoch > EPOCH);
        if fixture.is_same_request()
            && !told_later
            && matches!(fixture.entry, Some(Entry { phase: Phase::Finished(_), .. }))
        {
            let step = fixture.decide();
            let takes_over = fixture.uid != UID && matches!(step, Step::UpdatePolicy { .. } | Step::ReadLive);
            prop_assert!(takes_over || step == Step::DONE || step == Step::Ignore, "{step:?}");
        }
    }
}
