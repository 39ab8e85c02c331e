use super::*;

fn owners(namespace: &str, many: usize) -> Vec<Owner> {
    let owner = |number: usize| Owner {
        namespace: namespace.into(),
        name: number.to_string(),
    };
    (0..many).map(owner).collect()
}

fn held(missing: &[(&str, usize)], links: &[(&str, usize)]) -> Vec<String> {
    very_many(
        &missing.iter().copied().collect(),
        &links.iter().copied().collect(),
    )
    .into_iter()
    .collect()
}

#[test]
fn very_many_are_ten_and_over_half_of_the_namespaces_concerned() {
    assert!(held(&[("a", 9)], &[("a", 9)]).is_empty());
    assert!(held(&[("a", 10)], &[("a", 20)]).is_empty());
    assert_eq!(held(&[("a", 10)], &[("a", 19)]), ["a"]);
    assert_eq!(held(&[("a", 10)], &[("a", 10), ("b", 1000)]), ["a"]);
    assert_eq!(held(&[("a", 5), ("b", 5)], &[("a", 5), ("b", 6)]), ["a", "b"]);
    assert_eq!(held(&[("a", 12), ("b", 1)], &[("a", 12), ("b", 100)]), ["a"]);
}

#[test]
fn those_missing_at_the_start_wait_for_the_administrator() {
    let clock = Clock::by_hand();
    let mut mass = Mass::new(clock.clone());
    let all = owners("a", 12);
    let missing: Vec<&Owner> = all.iter().collect();
    let links = BTreeMap::from([("a", 12)]);
    let count = mass.note(&missing, &links, false);
    assert_eq!((count.new, count.held, count.from_the_start), (12, 12, true));
    clock.advance(WAIT * 10);
    assert_eq!(mass.note(&missing, &links, false).held, 12);
    // Most come back, and the rest are few: they were held, and stay so.
    assert_eq!(mass.note(&missing[..2], &links, false).held, 2);
    assert!(!mass.lets_go(missing[0]));
    assert_eq!(mass.note(&missing[..2], &links, true).held, 0);
    assert!(mass.lets_go(missing[0]));
}

#[test]
fn those_missing_from_a_later_list_are_waited_for_ten_minutes() {
    let clock = Clock::by_hand();
    let mut mass = Mass::new(clock.clone());
    let all = owners("a", 12);
    let missing: Vec<&Owner> = all.iter().collect();
    let links = BTreeMap::from([("a", 12)]);
    assert_eq!(mass.note(&[], &links, false), Count::default());
    let count = mass.note(&missing, &links, false);
    assert_eq!((count.new, count.held, count.from_the_start), (12, 12, false));
    clock.advance(WAIT - Duration::from_secs(1));
    assert_eq!(mass.note(&missing, &links, false).held, 12);
    clock.advance(Duration::from_secs(1));
    assert_eq!(mass.note(&missing, &links, false).held, 0);
    assert!(mass.lets_go(missing[0]));
    assert_eq!(mass.note(&missing, &links, false).new, 0, "once");
}

/// A cache learns of a new list one by one: the first few of many are not taken for few.
#[test]
fn few_are_let_go_once_no_more_follow() {
    let clock = Clock::by_hand();
    let mut mass = Mass::new(clock.clone());
    let all = owners("a", 12);
    let missing: Vec<&Owner> = all.iter().collect();
    let links = BTreeMap::from([("a", 12)]);
    mass.note(&[], &links, false);
    mass.note(&missing[..3], &links, false);
    assert!(!mass.lets_go(missing[0]));
    clock.advance(SETTLED);
    assert!(mass.lets_go(missing[0]));
    mass.note(&missing, &links, false);
    assert!(!mass.lets_go(missing[0]), "more followed");
}
