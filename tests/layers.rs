//! The floors of `src/lib.rs`: each may use only what is below it, and no two files use each other in a circle.
//!
//! Text based: reads `use` lines and inline paths. A `pub use` in a module that has files below it passes a name on and
//! counts for nobody; whoever uses that name uses the file that defines it. Unit tests, fixtures and what is compiled
//! only with the feature `mutants` are left out.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "functions of tests, outside of #[test]"
)]

#[path = "layers/circles.rs"]
mod circles;
#[path = "layers/paths.rs"]
mod paths;

use paths::House;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// From the roof to the ground. Modules of one line do not use each other.
const FLOORS: [&[&str]; 12] = [
    &["main"],
    &["cli"],
    &["operator"],
    &["poll"],
    &["share"],
    &["provider"],
    &["telemetry"],
    &["ledger"],
    &["kubernetes"],
    &["onetime"],
    &["problem", "config"],
    &["clock", "backoff", "ring", "packed", "proxy", "shard", "api"],
];

const RULE: &str = "each floor may use only the floors below it (see the table in src/lib.rs)";

fn floor(module: &str) -> usize {
    FLOORS
        .iter()
        .position(|floor| floor.contains(&module))
        .unwrap_or_else(|| {
            panic!("src/{module} is on no floor: add it to FLOORS and to the table in src/lib.rs")
        })
}

/// Every file that counts, by its path below `src`, with its text.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).expect("below src");
            let name = name.to_str().expect("UTF-8").to_owned();
            files.insert(name, std::fs::read_to_string(&path).expect("a text"));
        }
    }
    files
}

/// What points up or sideways, in words.
fn arrows_up(house: &House) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, to) in house.uses() {
        let (here, there) = (paths::top(&from), paths::top(&to));
        if here != there && floor(&there) <= floor(&here) {
            wrong.push(format!("src/{from} uses src/{to}: {RULE}"));
        }
    }
    wrong
}

#[test]
fn every_arrow_points_down() {
    let house = House::new(sources());
    assert!(
        house.uses().len() > 300,
        "only {} uses were found",
        house.uses().len()
    );
    let wrong = arrows_up(&house);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The table of `src/lib.rs` says the same, from the roof to the ground.
#[test]
fn the_map_shows_the_floors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = std::fs::read_to_string(path).expect("the map");
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | "));
    let floors: Vec<Vec<&str>> = rows
        .filter_map(|row| row.split('|').next())
        .map(|cell| cell.split('`').skip(1).step_by(2).collect())
        .filter(|modules: &Vec<&str>| !modules.is_empty())
        .collect();
    assert_eq!(floors, FLOORS.map(<[&str]>::to_vec));
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let circles = circles::circles(&House::new(sources()).uses());
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// A check that cannot fail shows nothing.
#[test]
fn an_arrow_that_points_up_is_found() {
    for text in [
        "use crate::share::context::Context;",
        "use crate::{\n    onetime::Client,\n    share::{context::Context, decide},\n};",
        "use super::super::share::context::Context;",
        "fn f() -> bool {\n    crate::share::decide::decide().is_some()\n}",
        "type T = Vec<crate::share::context::Context>;",
        // By a name that a lower module passes on.
        "use crate::telemetry::Smuggled;",
    ] {
        let mut files = sources();
        files.insert("provider/guilty.rs".into(), text.into());
        files
            .get_mut("telemetry/mod.rs")
            .expect("telemetry")
            .push_str("pub use crate::share::context::Context as Smuggled;\n");
        let wrong = arrows_up(&House::new(files));
        let guilty: Vec<&String> = wrong.iter().filter(|line| line.contains("guilty")).collect();
        assert!(!guilty.is_empty(), "{text}: {wrong:?}");
        assert!(guilty[0].contains(RULE), "{guilty:?}");
    }
}

#[test]
fn what_is_only_said_or_tested_is_no_arrow() {
    for text in [
        "//! See crate::share::decide.",
        "/// As [`crate::share::decide`] says.\nfn f() {}",
        "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::share::fixtures::link;\n}",
    ] {
        let mut files = sources();
        files.insert("provider/innocent.rs".into(), text.into());
        let wrong = arrows_up(&House::new(files));
        assert!(wrong.iter().all(|line| !line.contains("innocent")), "{wrong:?}");
    }
}

#[test]
fn a_circle_is_found() {
    let mut files = sources();
    files.insert(
        "ledger/one.rs".into(),
        "use super::two::Two;\npub struct One;".into(),
    );
    files.insert(
        "ledger/two.rs".into(),
        "use super::three::Three;\npub struct Two;".into(),
    );
    files.insert(
        "ledger/three.rs".into(),
        "use super::one::One;\npub struct Three;".into(),
    );
    let circles = circles::circles(&House::new(files).uses());
    assert_eq!(circles.len(), 1, "{circles:?}");
    assert!(
        circles[0].contains("ledger/one.rs") && circles[0].contains("ledger/three.rs"),
        "{circles:?}"
    );
}
