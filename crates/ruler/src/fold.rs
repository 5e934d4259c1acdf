//! Text without regard to case.
//!
//! The language folds the pattern, not the event: each character of a pattern stands for the
//! lower-case and the upper-case form of the character (the full mappings, sometimes several
//! characters), and for nothing else. So `ß` matches `ß` and `SS` but not `ss`.

/// A case-insensitive pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum IgnoreCase {
    /// An ASCII pattern, in lower case.
    Ascii(Box<str>),
    /// Any other pattern: the forms of each character, and the pattern as written.
    Forms(Box<[Form]>, Box<str>),
}

/// A form of a pattern's character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Form {
    lower: Box<str>,
    upper: Box<str>,
}

impl Form {
    fn of(c: char) -> Form {
        let lower: String = c.to_lowercase().collect();
        let upper: String = c.to_uppercase().collect();
        Form { lower: lower.into(), upper: upper.into() }
    }
}

impl IgnoreCase {
    pub(crate) fn new(pattern: &str) -> IgnoreCase {
        if pattern.is_ascii() {
            return IgnoreCase::Ascii(pattern.to_ascii_lowercase().into());
        }
        let mut forms = Vec::with_capacity(pattern.len());
        for c in pattern.chars() {
            // The original folds UTF-16 units: half a character has no case, and becomes a question
            // mark in the text.
            match c.len_utf16() {
                1 => forms.push(Form::of(c)),
                _ => forms.extend([Form::of('?'), Form::of('?')]),
            }
        }
        IgnoreCase::Forms(forms.into(), pattern.into())
    }

    /// The pattern, for people.
    pub(crate) fn text(&self) -> &str {
        match self {
            IgnoreCase::Ascii(text) | IgnoreCase::Forms(_, text) => text,
        }
    }

    pub(crate) fn equals(&self, text: &[u8]) -> bool {
        match self {
            IgnoreCase::Ascii(lower) => lower.as_bytes().eq_ignore_ascii_case(text),
            IgnoreCase::Forms(..) => self.strip_prefix(text).is_some_and(<[u8]>::is_empty),
        }
    }

    pub(crate) fn starts(&self, text: &[u8]) -> bool {
        self.strip_prefix(text).is_some()
    }

    pub(crate) fn ends(&self, text: &[u8]) -> bool {
        match self {
            IgnoreCase::Ascii(lower) => text
                .len()
                .checked_sub(lower.len())
                .and_then(|at| text.get(at..))
                .is_some_and(|end| lower.as_bytes().eq_ignore_ascii_case(end)),
            IgnoreCase::Forms(forms, _) => {
                let strip = |rest: &'_ [u8], form: &Form| {
                    let lower = rest.strip_suffix(form.lower.as_bytes());
                    lower.or_else(|| rest.strip_suffix(form.upper.as_bytes())).map(<[u8]>::len)
                };
                let mut rest = text;
                forms.iter().rev().all(|form| match strip(rest, form) {
                    Some(len) => {
                        rest = rest.get(..len).unwrap_or_default();
                        true
                    }
                    None => false,
                })
            }
        }
    }

    /// Neither form of a character starts or ends with the other (a test says so), so at most one
    /// form fits.
    fn strip_prefix<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            IgnoreCase::Ascii(lower) => {
                let (start, rest) = text.split_at_checked(lower.len())?;
                lower.as_bytes().eq_ignore_ascii_case(start).then_some(rest)
            }
            IgnoreCase::Forms(forms, _) => forms.iter().try_fold(text, |rest, form| {
                rest.strip_prefix(form.lower.as_bytes())
                    .or_else(|| rest.strip_prefix(form.upper.as_bytes()))
            }),
        }
    }

    /// The key under [`fold`] of every text equal to the pattern; `None` when the forms of a
    /// character fold apart, so no single key exists.
    pub(crate) fn key(&self) -> Option<Vec<u8>> {
        let mut key = Vec::new();
        match self {
            IgnoreCase::Ascii(lower) => key.extend_from_slice(lower.as_bytes()),
            IgnoreCase::Forms(forms, _) => {
                for Form { lower, upper } in forms {
                    let start = key.len();
                    fold(lower.as_bytes(), &mut key);
                    let mut other = Vec::new();
                    fold(upper.as_bytes(), &mut other);
                    if key.get(start..) != Some(&other) {
                        return None;
                    }
                }
            }
        }
        Some(key)
    }
}

/// Appends the case-folded text, character by character: the fold of a text is the folds of its
/// parts.
pub(crate) fn fold(text: &[u8], out: &mut Vec<u8>) {
    if text.is_ascii() {
        out.extend(text.iter().map(u8::to_ascii_lowercase));
        return;
    }
    let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Twice, because once does not settle the capital sharp s, which becomes ß; ß then
            // becomes ss.
            once(c).flat_map(once).for_each(&mut push);
        }
    }
}

fn once(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equals(pattern: &str, text: &str) -> bool {
        IgnoreCase::new(pattern).equals(text.as_bytes())
    }

    #[test]
    fn each_character_stands_for_its_two_cases() {
        assert!(equals("abc", "ABC") && equals("AbC", "aBc"));
        assert!(!equals("abc", "abcd") && !equals("abc", "ab"));
        assert!(equals("ß", "ß") && equals("ß", "SS"));
        assert!(!equals("ß", "ss") && !equals("ß", "ẞ") && !equals("ss", "ß"));
        assert!(equals("\u{212a}", "k") && equals("\u{212a}", "\u{212a}"));
        assert!(!equals("\u{212a}", "K"));
        assert!(equals("İ", "İ") && equals("İ", "i\u{307}"));
        assert!(equals("ς", "ς") && equals("ς", "Σ") && equals("σ", "Σ") && !equals("σ", "ς"));
        assert!(!equals("\u{1c5}", "\u{1c5}"), "a title-case letter has neither form");
    }

    #[test]
    fn characters_of_two_units_are_two_question_marks() {
        assert!(equals("a\u{1f600}", "A??"));
        assert!(!equals("\u{10400}", "\u{10428}") && !equals("\u{1f600}", "\u{1f600}"));
    }

    #[test]
    fn anchors_at_either_end() {
        let pattern = IgnoreCase::new("Ée");
        assert!(pattern.starts("éEx".as_bytes()) && !pattern.starts("xéE".as_bytes()));
        assert!(pattern.ends("xéE".as_bytes()) && !pattern.ends("éEx".as_bytes()));
        assert!(IgnoreCase::new("").ends(b"x") && IgnoreCase::new("").starts(b""));
        assert!(IgnoreCase::new("bC").ends(b"aBc") && !IgnoreCase::new("bC").ends(b"c"));
    }

    #[test]
    fn no_form_of_a_character_starts_or_ends_with_the_other() {
        for c in (char::MIN..='\u{ffff}').filter(|c| !c.is_ascii()) {
            let Form { lower, upper } = Form::of(c);
            let nested = lower.starts_with(&*upper)
                || upper.starts_with(&*lower)
                || lower.ends_with(&*upper)
                || upper.ends_with(&*lower);
            assert!(lower == upper || !nested, "{c}");
        }
    }

    #[test]
    fn every_character_has_a_key_that_its_forms_fold_to() {
        for c in char::MIN..='\u{ffff}' {
            let pattern = IgnoreCase::new(c.encode_utf8(&mut [0; 4]));
            let Some(key) = pattern.key() else { panic!("{c:?} has no key") };
            for text in [c.to_lowercase().to_string(), c.to_uppercase().to_string()] {
                let mut folded = Vec::new();
                fold(text.as_bytes(), &mut folded);
                assert_eq!(folded, key, "{c:?}");
            }
        }
    }
}
