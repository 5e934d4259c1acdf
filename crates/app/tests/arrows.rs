//! Which part may know which: app -> server -> engine -> store -> core -> ruler, and never back
//! (ARCHITECTURE.md). The compiler refuses what is not in a manifest; this refuses the manifest. Inside the
//! crates, the stores know neither each other nor anything above them, and no files or folders use each
//! other in a circle.
#![expect(clippy::unwrap_used, reason = "what is not found fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

#[path = "arrows/modules.rs"]
mod modules;

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

#[test]
fn the_server_reaches_the_store_through_the_engine_alone() {
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src");
    for file in sources(&server) {
        // The test server makes the store.
        let name = file.file_name().unwrap().to_string_lossy();
        let is_test = file.components().any(|part| part.as_os_str() == "tests");
        if is_test || name.ends_with("tests.rs") || name == "test_server.rs" {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for refused in ["SharedStore", "dyn Store", ".store()"] {
            assert!(!text.contains(refused), "{} names {refused}", file.display());
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

/// The crates whose modules are looked at.
const CRATES: [&str; 8] =
    ["app", "core", "engine", "ruler", "server", "store", "tables", "testkit"];

/// Circles that stay: crate, folder, the files of the circle, and the reason.
const CIRCLES: [(&str, &str, &[&str], &str); 4] = [
    ("ruler", "rule", &["matchers", "parse"], "the parser is one of recursive descent"),
    (
        "store",
        "postgres",
        &["datasets", "folders", "receiving", "sources"],
        "a folder goes with its datasets, and a dataset with its source",
    ),
    ("store", "sqlite", &["datasets", "folders", "sources", "versions"], "as in postgres"),
    (
        "tables",
        "sql",
        &["catalog", "joins", "kept", "run"],
        "all turn the query's errors into ours",
    ),
];

fn read_crate(name: &str) -> modules::Crate {
    let found = modules::Crate::read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"),
    );
    assert!(!found.folders().is_empty(), "{name} is not where this test looks");
    found
}

#[test]
fn the_stores_do_not_know_each_other_and_policy_knows_neither() {
    let store = read_crate("store");
    let part = |name: &modules::Name| name.first().cloned().unwrap_or_default();
    for (user, used) in store.uses() {
        let refused: &[&str] = match part(&user).as_str() {
            // The crate's root names all parts.
            "" | "moving" => &[],
            "sqlite" => &["postgres", "moving"],
            "postgres" => &["sqlite", "moving"],
            _ => &["sqlite", "postgres", "moving"],
        };
        let (user_name, used_name) = (user.join("/"), used.join("/"));
        assert!(
            !refused.contains(&part(&used).as_str()),
            "store/src/{user_name} uses {used_name}: put what both need beside the traits, or into \
             store/src/transfer"
        );
    }
    for (driver, backend) in [("rusqlite", "sqlite"), ("tokio_postgres", "postgres")] {
        let users = store.names(driver);
        assert!(!users.is_empty(), "nothing uses {driver}");
        for user in users {
            let name = user.join("/");
            assert!(part(&user) == backend, "store/src/{name} uses {driver}: only {backend}/ may");
        }
    }
}

#[test]
fn no_files_or_folders_of_a_crate_use_each_other_in_a_circle() {
    let mut left: Vec<_> = CIRCLES.iter().collect();
    let mut found = Vec::new();
    for name in CRATES {
        let modules = read_crate(name);
        let uses = modules.uses();
        for folder in modules.folders() {
            for circle in circles(&folder, &uses) {
                let folder = folder.join("/");
                let known = |known: &&(&str, &str, &[&str], &str)| {
                    (known.0, known.1) == (name, folder.as_str()) && circle == known.2
                };
                match left.iter().position(known) {
                    Some(at) => drop(left.remove(at)),
                    None => found.push(format!("{name}/src/{folder}: {}", circle.join(", "))),
                }
            }
        }
    }
    assert!(
        found.is_empty(),
        "these use each other in a circle; move what they share into a file below them:\n{}",
        found.join("\n")
    );
    assert!(left.is_empty(), "these circles are gone, so CIRCLES must not have them: {left:?}");
}

/// The circles among the parts of a folder, each with its parts in alphabetical order.
fn circles(
    folder: &modules::Name,
    uses: &BTreeSet<(modules::Name, modules::Name)>,
) -> Vec<Vec<String>> {
    let depth = folder.len();
    let within = |name: &modules::Name| name.len() > depth && name.starts_with(folder);
    let within_both = uses.iter().filter(|(user, used)| within(user) && within(used));
    let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (user, used) in within_both.filter(|(user, used)| user[depth] != used[depth]) {
        reach.entry(&user[depth]).or_default().insert(&used[depth]);
    }
    // Whatever is reached in some steps is reached: the closure.
    loop {
        let mut grown = false;
        for part in reach.keys().copied().collect::<Vec<_>>() {
            let next = reach[part].iter().filter_map(|used| reach.get(used)).flatten().copied();
            let next: BTreeSet<_> = next.collect();
            let parts = reach.entry(part).or_default();
            let before = parts.len();
            parts.extend(next);
            grown |= parts.len() > before;
        }
        if !grown {
            break;
        }
    }
    let of = |part: &str| {
        let back = |other: &&&str| reach.get(**other).is_some_and(|parts| parts.contains(part));
        reach[part].iter().filter(back).map(|other| (*other).to_owned()).collect::<Vec<_>>()
    };
    let all: BTreeSet<_> = reach.keys().map(|part| of(part)).filter(|c| !c.is_empty()).collect();
    all.into_iter().collect()
}

#[test]
fn a_circle_is_found_in_however_many_steps() {
    let name = |path: &str| path.split('/').map(str::to_owned).collect::<modules::Name>();
    let uses = [("f/a", "f/b/x"), ("f/b/y", "f/c"), ("f/c", "f/a"), ("f/d", "f/a"), ("g", "f/d")];
    let uses = uses.map(|(user, used)| (name(user), name(used))).into();
    assert_eq!(circles(&name("f"), &uses), [["a", "b", "c"]]);
    assert!(circles(&modules::Name::new(), &uses).is_empty());
}
