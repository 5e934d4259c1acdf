//! Which part may know which: app -> server -> engine -> store -> core -> ruler, and never back
//! (ARCHITECTURE.md). The compiler refuses what is not in a manifest; this refuses the manifest.
#![expect(clippy::unwrap_used, reason = "what is not found fails the test, as it should")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What each crate may use of ours at run time; the binary may use all but the test kit.
const ARROWS: [(&str, &[&str]); 9] = [
    ("hookyard-ruler", &[]),
    ("hookyard-core", &["hookyard-ruler"]),
    ("hookyard-store", &["hookyard-core", "hookyard-ruler"]),
    ("hookyard-engine", &["hookyard-store", "hookyard-core", "hookyard-ruler"]),
    ("hookyard-tables", &["hookyard-store", "hookyard-core"]),
    ("hookyard-server", &["hookyard-engine", "hookyard-tables", "hookyard-store", "hookyard-core"]),
    (
        "hookyard",
        &[
            "hookyard-server",
            "hookyard-engine",
            "hookyard-tables",
            "hookyard-store",
            "hookyard-core",
            "hookyard-ruler",
        ],
    ),
    ("hookyard-testkit", &["hookyard-core"]),
    // It drives the binary from outside.
    ("hookyard-bench", &[]),
];

/// What a crate must not use of others', however useful it looks.
const REFUSED: [(&str, &[&str]); 7] = [
    ("hookyard-ruler", &["tokio", "axum", "hyper", "rusqlite", "tokio-postgres"]),
    ("hookyard-core", &["tokio", "axum", "hyper", "rusqlite", "tokio-postgres"]),
    ("hookyard-store", &["axum", "hyper"]),
    ("hookyard-engine", &["axum", "rusqlite", "tokio-postgres"]),
    ("hookyard-tables", &["axum", "hyper", "rusqlite", "tokio-postgres"]),
    (
        "hookyard-server",
        &[
            "arrow",
            "datafusion",
            "parquet",
            "rusqlite",
            "tokio-postgres",
            "rustls",
            "hickory-resolver",
        ],
    ),
    ("hookyard", &["axum", "hyper", "rusqlite", "tokio-postgres"]),
];

fn workspace() -> Metadata {
    MetadataCommand::new().no_deps().exec().unwrap()
}

fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    metadata.packages.iter().find(|package| package.name.as_str() == name).unwrap()
}

fn uses(package: &Package, kinds: &[DependencyKind]) -> BTreeSet<String> {
    let of_kind = package.dependencies.iter().filter(|dependency| kinds.contains(&dependency.kind));
    of_kind.map(|dependency| dependency.name.clone()).collect()
}

#[test]
fn every_crate_uses_only_what_is_below_it() {
    let metadata = workspace();
    assert_eq!(metadata.packages.len(), ARROWS.len(), "a new crate needs its row in ARROWS");
    for (name, allowed) in ARROWS {
        let kinds = [DependencyKind::Normal, DependencyKind::Build];
        for used in uses(package(&metadata, name), &kinds) {
            let ours = used.starts_with("hookyard");
            assert!(!ours || allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
}

#[test]
fn no_crate_uses_what_belongs_to_another_layer() {
    let metadata = workspace();
    for (name, refused) in REFUSED {
        let used = uses(package(&metadata, name), &[DependencyKind::Normal]);
        for refused in refused {
            assert!(!used.contains(*refused), "{name} must not use {refused}");
        }
    }
}

#[test]
fn no_api_uses_another() {
    // The receive path is a part of the Mammoth API with a folder of its own.
    let apis: [&[&str]; 3] = [&["mammoth", "inbound"], &["native"], &["ultracart"]];
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src");
    for api in apis {
        let others: Vec<_> = apis.concat().into_iter().filter(|part| !api.contains(part)).collect();
        for part in api {
            let files = sources(&server.join(part));
            assert!(!files.is_empty(), "{part} is not where this test looks");
            for file in files {
                let text = std::fs::read_to_string(&file).unwrap();
                for other in &others {
                    let named = text.contains(&format!("crate::{other}"));
                    assert!(!named, "{} uses crate::{other}", file.display());
                }
            }
        }
    }
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut found: Vec<_> = folders.iter().flat_map(|folder| sources(folder)).collect();
    found.extend(files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")));
    found
}
