//! `docs/api-coverage.md` is complete and true: every test that it names exists, and everything that the recordings of the
//! real servers show has a row.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "functions of tests, outside of #[test]"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A row of a table: the names in its first cell, and the tests in its last.
struct Row {
    section: String,
    what: Vec<String>,
    proofs: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rows() -> Vec<Row> {
    let (mut rows, mut section, mut heads) = (Vec::new(), String::new(), false);
    for line in read(&root().join("docs/api-coverage.md")).lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut section);
        }
        let Some(inner) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            heads = true;
            continue;
        };
        // The head of a table and the line below it.
        if heads || inner.starts_with("---") {
            heads = false;
            continue;
        }
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "three cells: {line}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "an empty cell: {line}");
        rows.push(Row {
            section: section.clone(),
            what: quoted(cells[0]),
            proofs: quoted(cells[2]),
        });
    }
    rows
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files
}

/// The names of the integration tests, as `tests/integration` registers them.
fn trials() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in sources("tests/integration") {
        let text: String = read(&path).split_whitespace().collect();
        let after = |start: &str| -> Vec<String> {
            let word = |rest: &str| rest.split(['"', ',', ')']).next().map(str::to_owned);
            text.split(start).skip(1).filter_map(word).collect()
        };
        names.extend(after("integration_test!("));
        if let Some(prefix) = after("integration_cases!(\"").first() {
            let cases = [after("Case::new(\""), after("Case{name:\"")].concat();
            names.extend(cases.iter().map(|case| format!("{prefix}{case}")));
        }
    }
    names
}

/// Whether a file has a test of that name.
fn has_test(path: &Path, name: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| {
        let text: Vec<&str> = text.lines().map(str::trim).collect();
        let is_test = |line: &str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let is_it = |line: &str| {
            line.trim_start_matches("async ")
                .starts_with(&format!("fn {name}("))
        };
        text.windows(2).any(|lines| is_test(lines[0]) && is_it(lines[1]))
    })
}

fn exists(proof: &str, trials: &BTreeSet<String>) -> bool {
    let Some((module, name)) = proof.rsplit_once("::") else {
        return false;
    };
    match module {
        "integration" => trials.contains(name),
        "dedicated" => has_test(&root().join("tests/dedicated/main.rs"), name),
        "onetime_contract" | "onetime_client" => {
            has_test(&root().join("tests").join(module).with_extension("rs"), name)
        }
        module => {
            // In a file of their own, or at the end of the file that they test.
            let tested = module.strip_suffix("::tests").unwrap_or(module);
            let path = |module: &str| root().join("src").join(module.replace("::", "/"));
            let files = [
                path(module).with_extension("rs"),
                path(tested).with_extension("rs"),
                path(tested).join("mod.rs"),
            ];
            files.iter().any(|file| has_test(file, name))
        }
    }
}

#[test]
fn every_proof_exists() {
    let (rows, trials) = (rows(), trials());
    assert!(rows.len() > 60, "only {} rows were read", rows.len());
    assert!(
        trials.len() > 60,
        "only {} integration tests were found",
        trials.len()
    );
    for row in &rows {
        assert!(!row.proofs.is_empty(), "{:?} has no proof", row.what);
        for proof in &row.proofs {
            assert!(
                exists(proof, &trials),
                "{proof}, which proves {:?}, does not exist",
                row.what
            );
        }
    }
}

/// What the recordings show.
#[derive(Default)]
struct Recorded {
    attributes: BTreeSet<String>,
    parameters: BTreeSet<String>,
    states: BTreeSet<String>,
    messages: BTreeSet<String>,
    exchanges: usize,
}

impl Recorded {
    fn read() -> Self {
        let mut all = Self::default();
        for path in sources("tests/contract") {
            if path.extension().is_some_and(|extension| extension == "json") {
                let file: Value = serde_json::from_str(&read(&path)).expect("JSON");
                for exchange in file["exchanges"].as_array().into_iter().flatten() {
                    all.exchange(exchange);
                }
            }
        }
        all
    }

    fn exchange(&mut self, exchange: &Value) {
        self.exchanges += 1;
        let answer = &exchange["response"]["json"];
        self.walk(answer);
        for field in ["message", "error", "reason"] {
            self.messages.extend(answer[field].as_str().map(str::to_owned));
        }
        // Whatever is sent to a route that does not exist is no parameter.
        if answer["error"] != "Not Found" {
            let form = exchange["request"]["form"].as_object();
            self.parameters
                .extend(form.into_iter().flatten().map(|(name, _)| name.clone()));
        }
    }

    fn walk(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.attributes.insert(name.clone());
                    if name == "state" {
                        self.states.extend(value.as_str().map(str::to_owned));
                    }
                    self.walk(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            _ => {}
        }
    }
}

#[test]
fn everything_recorded_has_a_row() {
    let (rows, recorded) = (rows(), Recorded::read());
    assert!(recorded.exchanges > 600, "only {} exchanges", recorded.exchanges);
    let named = |sections: &str| -> BTreeSet<&str> {
        let wanted = rows.iter().filter(|row| row.section.starts_with(sections));
        wanted
            .flat_map(|row| row.what.iter().map(String::as_str))
            .collect()
    };
    let without_row = |what: &str, recorded: &BTreeSet<String>, named: &BTreeSet<&str>| {
        let missing: Vec<_> = recorded
            .iter()
            .filter(|name| !named.contains(name.as_str()))
            .collect();
        assert!(missing.is_empty(), "recorded {what} without a row: {missing:?}");
    };
    let mut attributes = named("Attributes");
    attributes.extend(named("Recorded"));
    attributes.extend(named("Errors"));
    without_row("attributes", &recorded.attributes, &attributes);
    without_row("parameters", &recorded.parameters, &named("Parameters"));
    without_row("states", &recorded.states, &named("States"));
    let messages = named("Errors");
    for message in &recorded.messages {
        let known = messages.iter().any(|start| message.starts_with(start));
        assert!(known, "the recorded message {message:?} has no row");
    }
}
