//! deny.toml against what is really built: licences, sources, banned and doubled crates. It says the
//! same as `cargo deny check bans licenses sources`, and runs where that is not installed.
#![expect(clippy::unwrap_used, reason = "what is not found fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::path::Path;
use std::str::SplitWhitespace;

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};
use toml::{Table, Value};

fn rules() -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deny.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

fn texts<'a>(list: &'a Value, key: Option<&str>) -> Vec<&'a str> {
    let each = list.as_array().unwrap().iter();
    each.map(|value| key.map_or(value, |key| &value[key]).as_str().unwrap()).collect()
}

/// The packages that a build for one of the targets uses, ours left out.
fn packages(rules: &Table) -> Vec<Package> {
    let mut found: BTreeMap<String, Package> = BTreeMap::new();
    for target in texts(&rules["graph"]["targets"], None) {
        let options = ["--filter-platform".to_owned(), target.to_owned(), "--locked".to_owned()];
        let metadata: Metadata = MetadataCommand::new()
            .features(CargoOpt::AllFeatures)
            .other_options(options)
            .exec()
            .unwrap();
        let nodes = metadata.resolve.unwrap().nodes;
        let used: BTreeSet<_> = nodes.into_iter().map(|node| node.id).collect();
        let foreign = metadata.packages.into_iter().filter(|package| package.source.is_some());
        let used = foreign.filter(|package| used.contains(&package.id));
        found.extend(used.map(|package| (package.id.repr.clone(), package)));
    }
    found.into_values().collect()
}

#[test]
fn every_licence_is_allowed() {
    let rules = rules();
    let allowed = texts(&rules["licenses"]["allow"], None);
    for package in packages(&rules) {
        let terms = package.license.as_deref().unwrap_or("none");
        assert!(permits(terms, &allowed), "{} is under {terms}", package.name);
    }
}

#[test]
fn everything_comes_from_an_allowed_registry() {
    let rules = rules();
    let allowed = texts(&rules["sources"]["allow-registry"], None);
    for package in packages(&rules) {
        let source = package.source.unwrap().repr;
        let known = allowed.iter().any(|url| source == format!("registry+{url}"));
        assert!(known, "{} comes from {source}", package.name);
    }
}

/// The packages that use one of this name, ours included.
fn users(name: &str) -> BTreeSet<String> {
    let metadata = MetadataCommand::new()
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked".to_owned()])
        .exec()
        .unwrap();
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let using = nodes.iter().filter(|node| node.deps.iter().any(|used| used.name == name));
    using.map(|node| metadata[&node.id].name.to_string()).collect()
}

#[test]
fn what_is_banned_but_for_some_is_used_by_those_alone() {
    let rules = rules();
    for ban in rules["bans"]["deny"].as_array().unwrap() {
        let Some(wrappers) = ban.get("wrappers") else { continue };
        let (name, wrappers) = (ban["crate"].as_str().unwrap(), texts(wrappers, None));
        let users = users(name);
        assert!(!users.is_empty(), "nothing uses {name}: ban it for all");
        for user in users {
            assert!(wrappers.contains(&user.as_str()), "{user} must not use {name}");
        }
    }
}

#[test]
fn nothing_banned_or_doubled_is_used() {
    let rules = rules();
    let bans = rules["bans"]["deny"].as_array().unwrap().iter();
    let banned: Vec<_> = bans
        .filter(|ban| ban.get("wrappers").is_none())
        .map(|ban| ban["crate"].as_str().unwrap())
        .collect();
    let skipped = texts(&rules["bans"]["skip"], Some("crate"));
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages(&rules) {
        let name = package.name.to_string();
        assert!(!banned.contains(&name.as_str()), "{name} is banned in deny.toml");
        let version = package.version.to_string();
        let skip = |skip: &&str| {
            let (skipped, prefix) = skip.split_once('@').unwrap();
            skipped == name && version.starts_with(&format!("{prefix}."))
        };
        if !skipped.iter().any(skip) {
            versions.entry(name).or_default().push(version);
        }
    }
    let doubled: Vec<_> = versions.iter().filter(|(_, versions)| versions.len() > 1).collect();
    assert!(doubled.is_empty(), "in several versions: {doubled:?}");
}

/// Whether an SPDX expression can be satisfied with the allowed licences alone. `OR` binds looser
/// than `AND`; a slash is an old spelling of `OR`.
fn permits(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    any(&mut spaced.split_whitespace().peekable(), allowed)
}

fn any(words: &mut Peekable<SplitWhitespace<'_>>, allowed: &[&str]) -> bool {
    let mut permitted = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        permitted |= all(words, allowed);
    }
    permitted
}

fn all(words: &mut Peekable<SplitWhitespace<'_>>, allowed: &[&str]) -> bool {
    let mut permitted = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        permitted &= one(words, allowed);
    }
    permitted
}

fn one(words: &mut Peekable<SplitWhitespace<'_>>, allowed: &[&str]) -> bool {
    let word = words.next().unwrap_or_default();
    if word == "(" {
        let permitted = any(words, allowed);
        assert_eq!(words.next(), Some(")"));
        return permitted;
    }
    // An exception to a licence is another licence, and none is on the list.
    if words.next_if_eq(&"WITH").is_some() {
        words.next();
        return false;
    }
    allowed.contains(&word)
}

#[test]
fn licence_expressions_are_read_right() {
    let allowed = ["MIT", "ISC"];
    for good in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "ISC AND (GPL-3.0 OR MIT)"] {
        assert!(permits(good, &allowed), "{good}");
    }
    for bad in ["GPL-3.0", "none", "MIT AND GPL-3.0", "MIT WITH X", "(MIT OR ISC) AND GPL-3.0"] {
        assert!(!permits(bad, &allowed), "{bad}");
    }
}
