//! Circles among files: groups in which each file reaches each other one.

use std::collections::{BTreeMap, BTreeSet};

/// Every circle, in words.
pub fn circles(uses: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in uses {
        reach.entry(from).or_default().insert(to);
    }
    let reachable: BTreeMap<&str, BTreeSet<&str>> =
        reach.keys().map(|file| (*file, from(file, &reach))).collect();
    let mut found = BTreeSet::new();
    for (file, reached) in &reachable {
        let circle: BTreeSet<&str> = reached
            .iter()
            .copied()
            .filter(|other| reachable.get(other).is_some_and(|back| back.contains(file)))
            .collect();
        if circle.contains(file) {
            found.insert(circle);
        }
    }
    found
        .into_iter()
        .map(|circle| {
            let files: Vec<&str> = circle.into_iter().collect();
            format!("these files use each other in a circle: {}", files.join(", "))
        })
        .collect()
}

fn from<'a>(file: &'a str, reach: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let (mut found, mut next) = (BTreeSet::new(), vec![file]);
    while let Some(file) = next.pop() {
        for other in reach.get(file).into_iter().flatten() {
            if found.insert(*other) {
                next.push(other);
            }
        }
    }
    found
}
