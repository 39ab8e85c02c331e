use super::*;

fn parse(text: &str) -> Result<Shard, ShardError> {
    text.parse()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Some(pairs.iter().map(pair).collect())
}

#[test]
fn a_selector_names_a_shard() {
    let named = |key: &str| Shard::Named {
        key: key.into(),
        name: "blue".into(),
    };
    for (text, shard) in [
        ("", Shard::All),
        (" ", Shard::All),
        ("onetimeshare.dev/shard=blue", named(LABEL)),
        ("onetimeshare.dev/shard == blue ", named(LABEL)),
        ("onetimeshare.dev/shard in (blue)", named(LABEL)),
        ("team in ( blue )", named("team")),
        ("!onetimeshare.dev/shard", Shard::Default { key: LABEL.into() }),
        ("! team", Shard::Default { key: "team".into() }),
    ] {
        assert_eq!(parse(text), Ok(shard), "{text:?}");
    }
}

/// Above all, nothing that selects something else than what it seems to.
#[test]
fn what_names_none_is_refused_with_the_flag_and_the_remedy() {
    let long = format!("a={}", "b".repeat(51));
    for text in [
        "onetimeshare.dev/shard",
        "a!=b",
        "a notin (b)",
        "a in (b,c)",
        "a=b,c=d",
        "a=b,!c",
        "!a,b=c",
        "!",
        "=b",
        "a=",
        "a/b/c=d",
        "/a=b",
        "a in b",
        "a=Blue",
        "a=-b",
        "a=b.c",
        "a=ledger",
        &long,
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains("--watch-label-selector"), "{text}: {error}");
        assert!(
            error.contains(": write ") || error.contains(": use ") || error.contains("choose"),
            "{error}"
        );
    }
}

#[test]
fn a_share_and_an_entry_belong_to_one_shard() {
    let shards = ["!team", "team=blue", "team=green"].map(|text| parse(text).expect("a shard"));
    let of = |belongs: &dyn Fn(&Shard) -> bool| {
        let all: Vec<usize> = (0..3).filter(|at| belongs(&shards[*at])).collect();
        assert!(belongs(&Shard::All));
        all
    };
    for (share, shard) in [
        (None, vec![0]),
        (labels(&[]), vec![0]),
        (labels(&[("team", "blue")]), vec![1]),
        (labels(&[("team", "green"), (LABEL, "blue")]), vec![2]),
        (labels(&[("team", "red")]), vec![]),
        (labels(&[("team", "")]), vec![]),
        (labels(&[(LABEL, "blue")]), vec![0]),
    ] {
        assert_eq!(of(&|one| one.works_on(&share)), shard, "{share:?}");
    }
    for (entry, shard) in [
        (None, vec![0]),
        (labels(&[("team", "blue")]), vec![0]),
        (labels(&[(LABEL, "blue")]), vec![1]),
        (labels(&[(LABEL, "red")]), vec![]),
    ] {
        assert_eq!(of(&|one| one.wrote(&entry)), shard, "{entry:?}");
    }
}

#[test]
fn the_selectors_are_those_of_its_own_and_of_the_others() {
    let all = |text: &str| {
        let shard = parse(text).expect("a shard");
        [shard.shares(), shard.entries(), shard.entries_of_others()].map(Option::unwrap_or_default)
    };
    assert_eq!(all(""), ["", "", ""]);
    assert_eq!(all("!team"), ["!team", "!onetimeshare.dev/shard", LABEL]);
    assert_eq!(
        all("team in (blue)"),
        [
            "team=blue",
            "onetimeshare.dev/shard=blue",
            "onetimeshare.dev/shard!=blue"
        ]
    );
}

#[test]
fn each_has_a_lease_and_one_speaks_for_all() {
    for (text, lease, speaks) in [
        ("", "onetimeshare", true),
        ("!team", "onetimeshare", true),
        ("team=blue", "onetimeshare-blue", false),
    ] {
        let shard = parse(text).expect("a shard");
        assert_eq!((shard.lease().as_str(), shard.speaks_for_all()), (lease, speaks));
    }
}
