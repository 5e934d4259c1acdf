//! Texts for decisions by people, on a single line: the visible text must be the whole text.

/// Whether a text is free of invisible and misleading characters: control characters and line ends,
/// characters without a width, and characters with a change of reading direction. Unicode's two joiners pass
/// between letters in need of a joiner, as in Persian words and in emoji.
pub fn is_readable(text: &str) -> bool {
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let fine = match char {
            '\u{200c}' | '\u{200d}' => {
                before.is_some_and(needs_joiners)
                    && chars.peek().copied().is_some_and(needs_joiners)
            }
            char => !char.is_control() && !is_hidden(char),
        };
        if !fine {
            return false;
        }
        before = Some(char);
    }
    true
}

/// The fault of an unreadable text, for the text's owner.
pub const UNREADABLE: &str = "must not have control characters, characters that cannot be seen, or ones \
                              that turn the reading direction";

fn needs_joiners(char: char) -> bool {
    !char.is_ascii() && !char.is_whitespace() && !matches!(char, '\u{200c}' | '\u{200d}')
}

/// Unicode's characters of the category Cf and others without a visible trace, except joiners and the
/// selectors of an emoji's look.
fn is_hidden(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_is_readable() {
        for text in [
            "",
            "Orders 2026",
            "Größe",
            "注文",
            "\u{6cc}\u{200c}\u{6a9}",
            "\u{1f469}\u{200d}\u{1f4bb}",
            "\u{2764}\u{fe0f}",
        ] {
            assert!(is_readable(text), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_not() {
        for char in [
            '\0',
            '\t',
            '\n',
            '\r',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert!(!is_readable(&format!("Re{char}ports")), "{char:?}");
            assert!(!is_readable(&char.to_string()), "{char:?}");
        }
    }
}
