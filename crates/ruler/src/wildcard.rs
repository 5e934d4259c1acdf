//! Wildcard patterns: `*` is any run of characters, `\*` and `\\` are the characters themselves.
//!
//! A pattern is matched on its own, by finding the pieces from left to right. The first place where
//! a piece fits is always right, so there is no backtracking, and rules with the same text before a
//! `*` cost nothing extra to build.

use std::fmt;

use memchr::memmem;

/// A pattern, cut at each `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Wildcard {
    /// The pieces: the number of `*`s plus 1.
    pieces: Box<[Box<[u8]>]>,
}

/// Why a text is not a pattern; the position is in bytes of the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WildcardError {
    Consecutive(usize),
    Escape(usize),
}

impl Wildcard {
    pub(crate) fn parse(pattern: &str) -> Result<Wildcard, WildcardError> {
        let mut pieces = Vec::new();
        let mut piece = Vec::new();
        let mut after_star = false;
        let mut bytes = pattern.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            if byte == b'*' {
                if after_star {
                    return Err(WildcardError::Consecutive(at));
                }
                pieces.push(std::mem::take(&mut piece).into_boxed_slice());
                after_star = true;
                continue;
            }
            after_star = false;
            piece.push(match byte {
                b'\\' => match bytes.next() {
                    Some((_, escaped @ (b'*' | b'\\'))) => escaped,
                    _ => return Err(WildcardError::Escape(at)),
                },
                _ => byte,
            });
        }
        pieces.push(piece.into_boxed_slice());
        Ok(Wildcard { pieces: pieces.into() })
    }

    /// The number of `*`s.
    pub(crate) fn stars(&self) -> usize {
        self.pieces.len().saturating_sub(1)
    }

    /// The text every match starts with.
    pub(crate) fn head(&self) -> &[u8] {
        self.pieces.first().map_or(&[], |piece| piece)
    }

    /// The text every match ends with.
    pub(crate) fn tail(&self) -> &[u8] {
        self.pieces.last().map_or(&[], |piece| piece)
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let [head, middle @ .., tail] = &*self.pieces else {
            return self.head() == text;
        };
        let Some(rest) = text.strip_prefix(&**head) else { return false };
        let Some(mut rest) = rest.strip_suffix(&**tail) else { return false };
        for piece in middle {
            let Some(at) = find(rest, piece) else { return false };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        true
    }
}

/// The first place of `piece` in `text`, in time linear in the text.
fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    match piece {
        [byte] => memchr::memchr(*byte, text),
        _ => memmem::find(text, piece),
    }
}

impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, piece) in self.pieces.iter().enumerate() {
            if nth > 0 {
                f.write_str("*")?;
            }
            let text = String::from_utf8_lossy(piece);
            f.write_str(&text.replace('\\', r"\\").replace('*', r"\*"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Wildcard::parse(pattern).unwrap().matches(text.as_bytes())
    }

    #[test]
    fn a_star_is_any_run() {
        assert!(matches("a*c", "abbc") && matches("a*c", "ac") && !matches("a*c", "acb"));
        assert!(matches("*", "") && matches("*", "x") && matches("", "") && !matches("", "x"));
        assert!(matches("2*0*1*7", "2000117") && !matches("2*0*1*7", "2100077"));
        assert!(matches("*ab*ab*", "abab") && !matches("*ab*ab*", "aab"));
        assert!(!matches("aba*aba", "aba"), "head and tail do not overlap");
    }

    #[test]
    fn escapes() {
        assert!(matches(r"\*a", "*a") && !matches(r"\*a", "xa"));
        assert!(matches(r"\\*", r"\x"));
        assert_eq!(Wildcard::parse(r"a\*b*\\").unwrap().to_string(), r"a\*b*\\");
    }

    #[test]
    fn errors_name_the_place() {
        assert_eq!(Wildcard::parse("a**"), Err(WildcardError::Consecutive(2)));
        assert_eq!(Wildcard::parse(r"*\x"), Err(WildcardError::Escape(1)));
        assert_eq!(Wildcard::parse(r"a\"), Err(WildcardError::Escape(1)));
        assert!(Wildcard::parse(r"*\**").is_ok());
    }
}
