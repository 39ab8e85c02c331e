//! From the text of files to the files that each of them uses.

use std::collections::{BTreeMap, BTreeSet};

/// Compiled only for tests, or with a feature that only tests use.
fn counts(file: &str) -> bool {
    let parts: Vec<&str> = file.split('/').collect();
    let left_out = [
        "tests.rs",
        "tests",
        "fixtures.rs",
        "mutated.rs",
        "mutant.rs",
        "failpoint.rs",
        "lib.rs",
    ];
    !parts.iter().any(|part| left_out.contains(part))
}

/// The first part of a file's path below `src`, without its ending.
pub fn top(file: &str) -> String {
    let first = file.split('/').next().unwrap_or_default();
    first.trim_end_matches(".rs").to_owned()
}

type Module = Vec<String>;

fn module(file: &str) -> Module {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// All files, and what they pass on.
pub struct House {
    files: BTreeMap<Module, (String, String)>,
    passed_on: BTreeMap<(Module, String), Module>,
}

impl House {
    pub fn new(sources: BTreeMap<String, String>) -> Self {
        let files: BTreeMap<Module, (String, String)> = sources
            .into_iter()
            .filter(|(file, _)| counts(file))
            .map(|(file, text)| (module(&file), (file, code(&text))))
            .collect();
        let mut house = Self {
            files,
            passed_on: BTreeMap::new(),
        };
        let mut passed_on = BTreeMap::new();
        for (module, (_, text)) in &house.files {
            for (is_public, path, name) in statements(text).iter().flat_map(|statement| expand(statement)) {
                if is_public && let Some(path) = house.absolute(module, &path) {
                    passed_on.insert((module.clone(), name), path);
                }
            }
        }
        house.passed_on = passed_on;
        house
    }

    /// Which file uses which.
    pub fn uses(&self) -> BTreeSet<(String, String)> {
        let mut uses = BTreeSet::new();
        for (module, (file, text)) in &self.files {
            let passes_on = self.has_children(module);
            let statements = statements(text);
            let named = statements
                .iter()
                .flat_map(|statement| expand(statement))
                .filter(|(is_public, ..)| !(*is_public && passes_on))
                .map(|(_, path, _)| path);
            for path in named.chain(inline(text)) {
                let target = self
                    .absolute(module, &path)
                    .and_then(|path| self.defined_in(path));
                if let Some(target) = target.filter(|target| target != file) {
                    uses.insert((file.clone(), target));
                }
            }
        }
        uses
    }

    fn has_children(&self, module: &Module) -> bool {
        self.files
            .keys()
            .any(|other| other.len() > module.len() && other.starts_with(module))
    }

    /// A path from the root of the crate. None for another crate's.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let first = path.first()?.as_str();
        let mut base = match first {
            "crate" | "onetimeshare" => Vec::new(),
            "self" => module.clone(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            // A module below this one.
            _ => {
                let mut child = module.clone();
                child.push(first.to_owned());
                self.files.contains_key(&child).then_some(module.clone())?
            }
        };
        let rest = if ["crate", "onetimeshare", "self", "super"].contains(&first) {
            &path[1..]
        } else {
            path
        };
        for part in rest {
            if part == "super" {
                base.pop()?;
            } else {
                base.push(part.clone());
            }
        }
        Some(base)
    }

    /// The file that defines what a path names.
    fn defined_in(&self, path: Module) -> Option<String> {
        let mut path = path;
        // More steps than any name is passed on.
        for _ in 0..8 {
            let length = (1..=path.len())
                .rev()
                .find(|length| self.files.contains_key(&path[..*length]))?;
            let holder = path[..length].to_vec();
            let passed_on = path
                .get(length)
                .and_then(|name| self.passed_on.get(&(holder.clone(), name.clone())));
            match passed_on {
                Some(next) if *next != path => {
                    let mut next = next.clone();
                    next.extend_from_slice(&path[length + 1..]);
                    path = next;
                }
                _ => return self.files.get(&holder).map(|(file, _)| file.clone()),
            }
        }
        None
    }
}

/// The text without comments and without its unit tests.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every `use` statement, in one line each, without the semicolon.
fn statements(text: &str) -> Vec<String> {
    let (mut all, mut open) = (Vec::new(), None::<String>);
    for line in text.lines().map(str::trim) {
        let begins = line.starts_with("use ")
            || (line.starts_with("pub") && line.contains("use ") && !line.contains('='));
        if let Some(statement) = &mut open {
            statement.push_str(line);
        } else if begins {
            open = Some(line.to_owned());
        }
        if open.as_ref().is_some_and(|statement| statement.ends_with(';')) {
            all.extend(
                open.take()
                    .map(|statement| statement.trim_end_matches(';').to_owned()),
            );
        }
    }
    all
}

/// The paths of a statement: whether it is public, the path, and the name that it gets here.
fn expand(statement: &str) -> Vec<(bool, Vec<String>, String)> {
    let Some((visibility, tree)) = statement.split_once("use ") else {
        return Vec::new();
    };
    let mut paths = Vec::new();
    branch(tree.trim(), &[], &mut paths);
    paths
        .into_iter()
        .map(|(path, name)| (visibility.starts_with("pub"), path, name))
        .collect()
}

fn branch(tree: &str, before: &[String], paths: &mut Vec<(Vec<String>, String)>) {
    let tree = tree.trim();
    if tree.is_empty() {
        return;
    }
    let parts = |text: &str| -> Vec<String> {
        let split = text.split("::").map(str::trim);
        split.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    if let Some((head, rest)) = tree.split_once('{') {
        let mut before = before.to_vec();
        before.extend(parts(head));
        let inner = rest.strip_suffix('}').unwrap_or(rest);
        for part in top_level(inner) {
            branch(&part, &before, paths);
        }
        return;
    }
    let (path, name) = match tree.split_once(" as ") {
        Some((path, name)) => (path, Some(name.trim().to_owned())),
        None => (tree, None),
    };
    let mut whole = before.to_vec();
    whole.extend(
        parts(path)
            .into_iter()
            .filter(|part| part != "self" || before.is_empty()),
    );
    let name = name.or_else(|| whole.last().cloned()).unwrap_or_default();
    paths.push((whole, name));
}

/// Splits at commas that are in no brace.
fn top_level(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts
}

/// The paths that code names without a `use`.
fn inline(text: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for line in text.lines() {
        for root in ["crate::", "super::"] {
            for (at, _) in line.match_indices(root) {
                let before = line[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let path = line[at..].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
                let path = path.into_iter().next().unwrap_or_default();
                let path = path.split("::").filter(|part| !part.is_empty());
                paths.push(path.map(str::to_owned).collect());
            }
        }
    }
    paths
}
