//! The crate, the chart, the image and the manifests have one version, and the changelog has a section for it.
#![allow(clippy::panic, reason = "functions of tests, outside of #[test]")]

use std::path::Path;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn one_version_everywhere() {
    for (name, before) in [
        ("charts/onetimeshare/Chart.yaml", "\nversion: "),
        ("charts/onetimeshare/Chart.yaml", "\nappVersion: "),
        ("Dockerfile", "org.opencontainers.image.version=\""),
        ("deploy/operator.yaml", "app.kubernetes.io/version: "),
        ("deploy/operator.yaml", "image: onetimeshare:"),
        ("docs/install.md", "REPOSITORY:"),
        ("docs/install.md", "newTag: "),
    ] {
        let text = read(name);
        let found: Vec<&str> = text
            .split(before)
            .skip(1)
            .map(|rest| rest.split(['\n', ' ', '"']).next().unwrap_or_default())
            .collect();
        assert!(!found.is_empty(), "{name} has no {before:?}");
        for version in found {
            assert_eq!(version, VERSION, "{name}, after {before:?}");
        }
    }
}

#[test]
fn the_changelog_has_a_section_for_it() {
    let heading = format!("## [{VERSION}]");
    let is_it = |line: &str| {
        line.strip_prefix(&heading)
            .is_some_and(|date| date.is_empty() || date.starts_with(" - "))
    };
    assert!(
        read("CHANGELOG.md").lines().any(is_it),
        "CHANGELOG.md has no {heading}"
    );
}
