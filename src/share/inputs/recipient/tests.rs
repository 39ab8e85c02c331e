//! Which addresses are taken.

use super::*;
use proptest::prelude::*;

#[test]
fn recipients_are_one_plain_address() {
    for good in [
        "a@b.co",
        "first.last+tag@sub.example.com",
        "o_neil%x@example.museum",
    ] {
        assert!(parse_recipient(good).is_ok(), "{good}");
    }
    let long = format!("{}@example.com", "a".repeat(250));
    for bad in [
        "",
        "a",
        "@b.co",
        "a@",
        "a@b@c.de",
        "a@b.co,c@d.de",
        "A <a@b.co>",
        "a@b.co\n",
        "a b@c.de",
        "a@b..co",
        "a@-b.co",
        "\"a\"@b.co",
        "o'neil@b.co",
        "ü@b.co",
        "a@exämple.com",
        long.as_str(),
    ] {
        let problem = parse_recipient(bad).expect_err(bad);
        assert_eq!(problem.reason, Reason::RecipientInvalid);
        assert!(
            bad.len() < 2 || !problem.message.contains(bad),
            "the address is not echoed"
        );
    }
}

proptest! {
    #[test]
    fn a_parsed_recipient_parses_to_itself(address in "[a-zA-Z0-9.+_-]{1,20}@[a-zA-Z0-9]{1,10}\\.[a-zA-Z]{2,6}") {
        let once = parse_recipient(&address).expect("plain address");
        let twice = parse_recipient(&once).expect("still plain");
        prop_assert_eq!(twice, once);
    }
}
