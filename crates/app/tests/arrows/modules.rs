//! The modules of a crate, and which of them use which, as the source text says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module's path from the root of its crate; the root is empty.
pub(crate) type Name = Vec<String>;

/// One module.
#[derive(Default)]
struct Module {
    /// The names that `use` brings in, with their paths.
    names: BTreeMap<String, Vec<String>>,
    /// All paths in the text.
    paths: Vec<Vec<String>>,
}

/// The modules of a crate without those of its tests.
pub(crate) struct Crate {
    modules: BTreeMap<Name, Module>,
}

impl Crate {
    /// Reads the sources below a `src`.
    pub(crate) fn read(src: &Path) -> Self {
        let mut found = Self { modules: BTreeMap::new() };
        let mut tests = BTreeSet::new();
        for file in super::sources(src) {
            let name = name(file.strip_prefix(src).unwrap());
            let (module, of_tests) = Module::read(&std::fs::read_to_string(&file).unwrap());
            tests.extend(of_tests.into_iter().map(|test| [name.clone(), vec![test]].concat()));
            found.modules.insert(name, module);
        }
        found.modules.retain(|name, _| !(1..=name.len()).any(|at| tests.contains(&name[..at])));
        found
    }

    /// Each module with a module that it uses. A re-exported name counts for the module that has the item.
    pub(crate) fn uses(&self) -> BTreeSet<(Name, Name)> {
        let mut uses = BTreeSet::new();
        for (name, module) in &self.modules {
            for path in module.paths.iter().chain(module.names.values()) {
                let used = self.absolute(name, path).map(|path| self.owner(&path, 0));
                uses.extend(used.filter(|used| used != name).map(|used| (name.clone(), used)));
            }
        }
        uses
    }

    /// The outside crates that each module names.
    pub(crate) fn names(&self, outside: &str) -> Vec<Name> {
        let named = |module: &Module| {
            let mut paths = module.paths.iter().chain(module.names.values());
            paths.any(|path| path.first().is_some_and(|first| first == outside))
        };
        let modules = self.modules.iter().filter(|(_, module)| named(module));
        modules.map(|(name, _)| name.clone()).collect()
    }

    /// The folders, the root included.
    pub(crate) fn folders(&self) -> BTreeSet<Name> {
        let names = self.modules.keys();
        names.flat_map(|name| (0..name.len()).map(|at| name[..at].to_vec())).collect()
    }

    /// A path from the crate's root; `None` where the path leads out of the crate.
    fn absolute(&self, from: &Name, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        if first == "crate" {
            return Some(rest.to_vec());
        }
        let child = [&from[..], std::slice::from_ref(first)].concat();
        if self.modules.contains_key(&child) {
            return Some([&child[..], rest].concat());
        }
        if first != "super" && first != "self" {
            return None;
        }
        let supers = path.iter().take_while(|part| *part == "super" || *part == "self").count();
        let up = path.iter().take(supers).filter(|part| *part == "super").count();
        let base = &from[..from.len().checked_sub(up)?];
        Some([base, &path[supers..]].concat())
    }

    /// The module that has the item of a path, through re-exports.
    fn owner(&self, path: &[String], depth: usize) -> Name {
        let longest = (0..=path.len()).rev().find(|at| self.modules.contains_key(&path[..*at]));
        let (name, rest) = path.split_at(longest.unwrap_or(0));
        let Some((item, rest)) = rest.split_first() else { return name.to_vec() };
        let other = self.modules.get(name).and_then(|module| module.names.get(item));
        let other = other.and_then(|other| self.absolute(&name.to_vec(), other));
        match other.filter(|other| depth < 9 && other != path) {
            Some(other) => self.owner(&[&other[..], rest].concat(), depth + 1),
            None => name.to_vec(),
        }
    }
}

/// The module of a file.
fn name(file: &Path) -> Name {
    let file = file.with_extension("");
    let mut parts: Name = file.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let root = ["lib", "main"].iter().any(|root| parts == [*root]);
    if root || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

impl Module {
    /// The module of a text, and the names of the modules in it that are only tests.
    fn read(text: &str) -> (Self, Vec<String>) {
        let tokens = tokens(text);
        let (mut module, mut tests, mut at) = (Self::default(), Vec::new(), 0);
        while at < tokens.len() {
            let rest = &tokens[at..];
            if starts(rest, &["#", "[", "cfg", "(", "test", ")", "]"]) {
                let item = &rest[7..];
                let kind = item.iter().position(|token| token == "mod").filter(|kind| *kind < 6);
                tests.extend(kind.and_then(|kind| item.get(kind + 1)).cloned());
                at += 7 + item_length(item);
            } else if rest[0] == "use" {
                let end = rest.iter().position(|token| token == ";").unwrap_or(rest.len());
                module.bring_in(&[], &rest[1..end]);
                at += end;
            } else if is_word(&rest[0]) {
                let length = path_length(rest);
                let path = rest[..length].iter().filter(|token| is_word(token)).cloned();
                module.paths.extend((length > 1).then(|| path.collect()));
                at += length;
            } else {
                at += 1;
            }
        }
        (module, tests)
    }

    /// Takes in a tree of a `use`, below a path.
    fn bring_in(&mut self, below: &[String], tree: &[String]) {
        let Some(open) = tree.iter().position(|token| token == "{") else {
            let mut path = below.to_vec();
            let renamed = tree.iter().position(|token| token == "as");
            let parts = &tree[..renamed.unwrap_or(tree.len())];
            path.extend(parts.iter().filter(|part| is_word(part) || *part == "*").cloned());
            if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let name = match renamed {
                Some(at) => tree.get(at + 1).cloned().unwrap_or_default(),
                None => path.last().cloned().unwrap_or_default(),
            };
            // Names such as `_` and `*` may come more than once.
            if name == "_" || name == "*" {
                path.retain(|part| part != "*");
                self.paths.push(path);
            } else if !name.is_empty() {
                self.names.insert(name, path);
            }
            return;
        };
        let below = [below, &tree[..open]].concat();
        let below: Vec<_> = below.into_iter().filter(|part| is_word(part)).collect();
        let (mut depth, mut begin) = (0, open + 1);
        for at in open + 1..tree.len() {
            match tree[at].as_str() {
                "{" => depth += 1,
                "}" if depth > 0 => depth -= 1,
                "," | "}" if depth == 0 => {
                    if begin < at {
                        self.bring_in(&below, &tree[begin..at]);
                    }
                    begin = at + 1;
                }
                _ => {}
            }
        }
    }
}

fn starts(tokens: &[String], with: &[&str]) -> bool {
    tokens.len() >= with.len() && tokens.iter().zip(with).all(|(token, with)| token == with)
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// How many tokens a path has.
fn path_length(tokens: &[String]) -> usize {
    let mut length = 1;
    while starts(&tokens[length..], &["::"]) && tokens.get(length + 1).is_some_and(|t| is_word(t)) {
        length += 2;
    }
    length
}

/// How many tokens an item has, up to its semicolon or its last brace.
fn item_length(tokens: &[String]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token == "}" {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The words and signs of a text, without comments and literals.
fn tokens(text: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(length) = literal(rest) {
            length
        } else if is_word(rest) {
            let word = |c: char| !(c.is_alphanumeric() || c == '_');
            let length = rest.find(word).unwrap_or(rest.len());
            found.push(rest[..length].to_owned());
            length
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            if !first.is_whitespace() {
                found.push(rest[..length].to_owned());
            }
            length
        };
        rest = &rest[length..];
    }
    found
}

/// How long the string or character is that a text begins with.
fn literal(text: &str) -> Option<usize> {
    let body = text.trim_start_matches('b');
    let prefix = text.len() - body.len();
    let raw =
        body.strip_prefix('r').map(|raw| (raw, raw.len() - raw.trim_start_matches('#').len()));
    if let Some((raw, marks)) = raw
        && raw[marks..].starts_with('"')
    {
        let end = format!("\"{}", "#".repeat(marks));
        let begin = marks + 1;
        let length = raw[begin..].find(&end).map_or(raw.len(), |at| begin + at + end.len());
        return Some(prefix + 1 + length);
    }
    let quote = body.chars().next().filter(|quote| *quote == '"' || *quote == '\'')?;
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(prefix + at + 1),
            // A lifetime has no second quote after its first character.
            _ if quote == '\''
                && !body[at + c.len_utf8()..].starts_with('\'')
                && !body.starts_with("'\\") =>
            {
                return None;
            }
            _ => {}
        }
    }
    None
}

#[test]
fn the_text_of_a_module_says_what_it_uses() {
    let text = "use crate::{a::{self, B as C}, d::E};\nuse super::f::*;\n// use g::H;\n\
                #[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod inner { use crate::i::J; }\n\
                fn k<'l>(m: &'l str) -> char { n::o::P; \"q::r\"; r#\"s::\"t\"#; b'\"'; '\"'; u::v(w) }";
    let (module, tests) = Module::read(text);
    let words = |path: &[String]| path.join("::");
    let names: Vec<_> =
        module.names.iter().map(|(name, path)| (name.as_str(), words(path))).collect();
    let expected = [("C", "crate::a::B"), ("E", "crate::d::E"), ("a", "crate::a")];
    assert_eq!(names, expected.map(|(name, path)| (name, path.to_owned())));
    let paths: Vec<_> = module.paths.iter().map(|path| words(path)).collect();
    assert_eq!(paths, ["super::f", "n::o::P", "u::v"]);
    assert_eq!(tests, ["tests", "inner"]);
}
