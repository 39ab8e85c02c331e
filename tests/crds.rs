//! The definitions in `crds/` are those that the code makes.

use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn crds_are_in_sync() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let found: BTreeMap<String, String> = std::fs::read_dir(&folder)
        .expect("the folder crds")
        .map(|file| file.expect("a file").path())
        // For kubectl apply -k.
        .filter(|path| !path.ends_with("kustomization.yaml"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("text"))
        })
        .collect();
    let wanted: BTreeMap<String, String> = onetimeshare::api::manifests()
        .expect("YAML")
        .into_iter()
        .collect();
    for (name, yaml) in &wanted {
        assert!(
            found.get(name) == Some(yaml),
            "crds/{name} is stale or missing: run `make crds`"
        );
    }
    for name in found.keys() {
        assert!(
            wanted.contains_key(name),
            "crds/{name} belongs to no resource: remove it"
        );
    }
}
