//! Every manifest against the sources beside the manifest: no dependency and no feature is left over, and a
//! dependency of the tests alone is a dev-dependency. The sources are read as text, as rustfmt leaves them.
#![expect(clippy::unwrap_used, reason = "an unreadable source fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{Dependency, DependencyKind, Metadata, MetadataCommand, Package};
use toml::Table;

/// Features that a manifest adds to those of the root manifest, each with names that only code with that
/// feature has. A new addition needs a row here.
const ADDED_FEATURES: [(&str, &str, &[&str]); 3] = [
    ("tokio", "test-util", &["start_paused", "time::pause()", "time::advance("]),
    ("tokio", "process", &["tokio::process"]),
    ("futures-util", "sink", &["SinkExt"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn workspace() -> Metadata {
    MetadataCommand::new().no_deps().exec().unwrap()
}

fn manifest(directory: &Path) -> Table {
    fs::read_to_string(directory.join("Cargo.toml")).unwrap().parse().unwrap()
}

#[test]
fn every_dependency_is_used_where_its_kind_says() {
    for package in workspace().packages {
        let (product, everything) = (product(&package), everything(&package));
        let has = |kind| package.dependencies.iter().filter(move |one| one.kind == kind);
        for dependency in has(DependencyKind::Normal) {
            let (user, name) = (&package.name, &dependency.name);
            assert!(uses(&everything, dependency), "{user} has no use for {name}: remove {name}");
            let told = "move it to dev-dependencies";
            assert!(uses(&product, dependency), "only tests of {user} use {name}: {told}");
        }
        for dependency in has(DependencyKind::Development) {
            let (user, name) = (&package.name, &dependency.name);
            assert!(uses(&everything, dependency), "no test of {user} uses {name}: remove {name}");
            let already = has(DependencyKind::Normal).any(|one| one.name == *name && !one.optional);
            let adds = already && added_features(&package, "dev-dependencies", name).is_empty();
            assert!(!adds, "{user} names {name} twice: remove {name} from dev-dependencies");
        }
        let builds = has(DependencyKind::Build).count();
        assert_eq!(builds, 0, "teach this test to read the build script of {}", package.name);
    }
}

#[test]
fn every_dependency_of_the_fuzz_targets_is_used() {
    let fuzz = root().join("fuzz");
    let text = code(&sources(&fuzz.join("fuzz_targets")));
    for name in manifest(&fuzz)["dependencies"].as_table().unwrap().keys() {
        assert!(names_crate(&text, &name.replace('-', "_")), "no fuzz target uses {name}");
    }
}

#[test]
fn every_version_in_the_root_manifest_is_asked_for() {
    let asked: BTreeSet<_> = workspace()
        .packages
        .into_iter()
        .flat_map(|package| package.dependencies.into_iter().map(|dependency| dependency.name))
        .collect();
    let root = manifest(&root());
    for name in root["workspace"]["dependencies"].as_table().unwrap().keys() {
        assert!(asked.contains(name), "no crate depends on {name}: remove its version");
    }
}

#[test]
fn every_feature_of_ours_decides_something() {
    for package in workspace().packages {
        let text = everything(&package);
        for (feature, turned_on) in &package.features {
            let decides = text.contains(&format!("feature = \"{feature}\""));
            // `dep:x` alone would build x for nothing: some code must ask for the feature.
            let forwards = turned_on.iter().any(|other| other.contains('/'));
            let told = "remove the feature, or ask for it with cfg";
            let used = feature == "default" || decides || forwards;
            assert!(used, "the feature {feature} of {} decides nothing: {told}", package.name);
        }
    }
}

#[test]
fn every_added_feature_is_used() {
    let mut found = BTreeSet::new();
    for package in workspace().packages {
        let text = everything(&package);
        for dependency in &package.dependencies {
            for section in ["dependencies", "dev-dependencies"] {
                for feature in added_features(&package, section, &dependency.name) {
                    let (user, name) = (&package.name, &dependency.name);
                    let row = ADDED_FEATURES.iter().find(|row| (row.0, row.1) == (name, &feature));
                    assert!(row.is_some(), "ADDED_FEATURES needs a row for {feature} of {name}");
                    let used = row.unwrap().2.iter().any(|sign| text.contains(sign));
                    assert!(used, "{user} does not use {feature} of {name}: remove the feature");
                    found.insert((name.clone(), feature));
                }
            }
        }
    }
    assert_eq!(found.len(), ADDED_FEATURES.len(), "a row of ADDED_FEATURES is left over");
}

/// The features that a package's own manifest names for a dependency.
fn added_features(package: &Package, section: &str, name: &str) -> Vec<String> {
    let manifest = manifest(package.manifest_path.parent().unwrap().as_std_path());
    let features = manifest.get(section).and_then(|all| all.get(name)?.get("features")?.as_array());
    let features = features.into_iter().flatten();
    features.map(|feature| feature.as_str().unwrap().to_owned()).collect()
}

/// The code that a package's library and binaries have outside tests.
fn product(package: &Package) -> String {
    let mut files = Vec::new();
    for target in package.targets.iter().filter(|target| target.is_lib() || target.is_bin()) {
        walk(target.src_path.as_std_path(), &mut files);
    }
    files.iter().map(|file| without_tests(&code(std::slice::from_ref(file))).0).collect()
}

/// All code of a package: examples and tests, too.
fn everything(package: &Package) -> String {
    code(&sources(package.manifest_path.parent().unwrap().as_std_path()))
}

/// Adds a module's file, then the files of the modules that the module declares outside tests.
fn walk(file: &Path, found: &mut Vec<PathBuf>) {
    found.push(file.to_owned());
    let stem = file.file_stem().unwrap();
    let is_root = ["lib", "main", "mod"].iter().any(|root| stem == *root);
    let folder = if is_root { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    for module in without_tests(&code(&[file.to_owned()])).1 {
        let places = [folder.join(format!("{module}.rs")), folder.join(&module).join("mod.rs")];
        let place = places.iter().find(|place| place.is_file());
        assert!(place.is_some(), "{module} of {} is in no file known here", file.display());
        walk(place.unwrap(), found);
    }
}

/// A file's code without its test modules, and the modules in files of their own.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let (mut kept, mut modules) = (String::new(), Vec::new());
    let mut tested = false;
    let mut end_of_tests: Option<String> = None;
    for line in code.lines() {
        if let Some(end) = &end_of_tests {
            end_of_tests = (line != end).then_some(end.clone());
            continue;
        }
        let item = line.trim_start();
        if item.starts_with("#[") {
            tested |= item == "#[cfg(test)]";
        } else if tested && item.contains("mod ") && item.ends_with('{') {
            end_of_tests = Some(format!("{}}}", &line[..line.len() - item.len()]));
            tested = false;
            continue;
        } else {
            let module = item.strip_suffix(';').and_then(|item| item.rsplit_once("mod "));
            let declared =
                module.filter(|(before, _)| before.is_empty() || before.starts_with("pub"));
            if !tested {
                modules.extend(declared.map(|(_, name)| name.to_owned()));
            }
            tested = false;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    (kept, modules)
}

/// The lines of the files, without comments.
fn code(files: &[PathBuf]) -> String {
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let lines: Vec<String> = texts.flat_map(|text| lines_of_code(&text)).collect();
    lines.concat()
}

fn lines_of_code(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn uses(code: &str, dependency: &Dependency) -> bool {
    let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
    names_crate(code, &name.replace('-', "_"))
}

/// Whether code has a path that begins with the crate.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or('\n');
        let (imported, after) = (code[..at].ends_with("use "), &code[at + name.len()..]);
        let begins = !(before.is_alphanumeric() || "_.:".contains(before));
        begins && (after.starts_with("::") || imported && after.starts_with([';', ' ']))
    })
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut found: Vec<_> = folders.iter().flat_map(|folder| sources(folder)).collect();
    found.extend(files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")));
    found
}

#[test]
fn the_words_of_other_things_are_no_use_of_a_crate() {
    for used in ["use hex;", "use hex as h;", "hex::encode(b)", "Vec<hex::X>", "use {hex::X};"] {
        assert!(names_crate(used, "hex"), "{used}");
    }
    for other in
        ["entropy::hex(e)", "crate::hex::X", "self.hex::<u8>()", "let hex = 1;", "hex_x::y"]
    {
        assert!(!names_crate(other, "hex"), "{other}");
    }
    let text = "mod a;\n#[cfg(test)]\nmod b;\npub mod c;\n#[cfg(test)]\nmod tests {\n    hex::x\n}\nd();\n";
    let (kept, modules) = without_tests(text);
    assert_eq!(modules, ["a", "c"]);
    assert!(kept.ends_with("pub mod c;\n#[cfg(test)]\nd();\n"), "{kept}");
}
