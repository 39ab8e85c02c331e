//! What holds for every standing of a share.

use super::*;
use proptest::prelude::*;

fn phases() -> impl Strategy<Value = Option<Phase>> {
    prop_oneof![
        Just(None),
        Just(Some(Phase::Idle)),
        Just(Some(Phase::Intent(attempt()))),
        Just(Some(Phase::Intent(on_hold()))),
        Just(Some(Phase::Shared(link()))),
        Just(Some(clamped())),
        Just(Some(unknown())),
        Just(Some(mailing(false, &[]))),
        Just(Some(mailing(true, &[]))),
        Just(Some(burning())),
        prop_oneof![
            Just(Ending::Received),
            Just(Ending::Burned),
            Just(Ending::Expired)
        ]
        .prop_map(|how| Some(Phase::Finished(finished(how)))),
    ]
}

prop_compose! {
    fn cases()(
        mut phase in phases(),
        current in any::<bool>(),
        problem in proptest::option::of(prop_oneof![
            Just(missing()), Just(to_edit()), Just(to_administer()), Just(uncertain()),
        ]),
        // Clocks are finer than the seconds of the API.
        nanoseconds in 0..2_000_000_000i64,
    ) -> Case {
        let fine = SignedDuration::from_nanos(nanoseconds);
        match &mut phase {
            Some(Phase::Shared(share) | Phase::Burning(Burning { link: share, .. })) => {
                share.facts.created_at += fine;
                share.facts.expires_at += fine;
            }
            Some(Phase::Finished(finished)) => finished.at += fine,
            _ => {}
        }
        case(phase, current, problem)
    }
}

proptest! {
    #[test]
    fn kstatus_can_read_it(case in cases(), before in cases()) {
        let before = before.render(None, now());
        let status = case.render(Some(&before), now());
        let value = |type_| find(&status, type_).map(|condition| condition.status.as_str());
        let (ready, reconciling, stalled) = (value(READY), value(RECONCILING), value(STALLED));
        match ready {
            Some("True") => prop_assert_eq!((reconciling, stalled), (None, None)),
            Some("Unknown") => prop_assert_eq!((reconciling, stalled), (Some("True"), None)),
            Some("False") => prop_assert_eq!((reconciling, stalled), (None, Some("True"))),
            other => prop_assert!(false, "Ready is {other:?}"),
        }
        prop_assert_eq!(status.state == Some(ShareState::Failed), stalled.is_some());
        prop_assert_eq!(status.state == Some(ShareState::Pending), reconciling.is_some());
        for condition in &status.conditions {
            let same_type = status.conditions.iter().filter(|other| other.type_ == condition.type_).count();
            prop_assert_eq!(same_type, 1, "{} once", &condition.type_);
            prop_assert_eq!(condition.observed_generation, Some(GENERATION));
            prop_assert!(!condition.reason.is_empty() && !condition.message.is_empty());
        }
    }

    #[test]
    fn rendered_again_it_is_the_same(case in cases(), before in cases()) {
        let before = before.render(None, now());
        let first = case.render(Some(&before), now());
        // As it comes back from the API server.
        let json = serde_json::to_value(&first).expect("a status serializes");
        let stored: OneTimeShareStatus = serde_json::from_value(json).expect("and is read back");
        let again = case.render(Some(&stored), now() + SignedDuration::from_hours(7));
        prop_assert_eq!(again, stored);
    }

    #[test]
    fn keys_are_shown_only_while_the_link_lives(case in cases()) {
        let status = case.render(None, now());
        let lives = matches!(case.phase, Some(Phase::Shared(_) | Phase::Burning(_)));
        prop_assert_eq!(status.link.is_some(), lives);
        prop_assert_eq!(status.secret_key.is_some(), lives);
        let without = OneTimeShareStatus { link: None, secret_key: None, ..status };
        let text = serde_json::to_string(&without).expect("a status serializes");
        prop_assert!(!text.contains("canary"), "{text}");
    }

    #[test]
    fn what_was_asked_for_and_done_stays_ready(case in cases()) {
        let done = case.current && matches!(case.phase, Some(Phase::Shared(_) | Phase::Finished(_)));
        let status = case.render(None, now());
        prop_assert_eq!(find(&status, READY).is_some_and(|ready| ready.status == "True"), done);
        prop_assert_eq!(find(&status, RECEIVED).is_some(), done);
        prop_assert_eq!(find(&status, FINISHED).is_some(), done);
    }
}
