//! Protection against request smuggling (RFC 9112, section 11.2): behind a proxy, two readers may see
//! different ends of a request, and so take a part of a request for another request.
//!
//! The HTTP library accepts a bare line feed as the end of a line, and uses one of two statements of a
//! body's length. The standard allows both, and a proxy may decide otherwise. [`Heads`] therefore follows
//! the arriving bytes from head to head. A byte at a forbidden end is replaced by a byte that no head can
//! have, so the library answers 400 and closes the connection. Bodies are passed over by length, and are
//! not read otherwise.

/// The longest line read for the length of a body. Longer lines say something else, or are refused.
const LINE_MAX: usize = 64;

/// A byte forbidden in heads.
const NUL: u8 = 0;

/// The place of the arriving bytes in the stream of requests.
#[derive(Debug)]
pub(super) enum Heads {
    /// In a head.
    Head(Head),
    /// In a body with so many bytes to come.
    Body(u64),
    /// In a body of chunks.
    Chunks(Chunks),
    /// Behind a fault that ends the connection.
    Over,
}

impl Default for Heads {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl Heads {
    /// Follows bytes as they arrive.
    pub(super) fn pass(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let (taken, next) = match self {
                Self::Head(head) => (1, head.take(bytes[at])),
                Self::Body(left) => {
                    let taken = skip(left, bytes.len() - at);
                    (taken, (*left == 0).then(Self::default))
                }
                Self::Chunks(Chunks::Data(left)) => {
                    let taken = skip(left, bytes.len() - at);
                    (taken, (*left == 0).then(|| Self::Chunks(Chunks::between())))
                }
                Self::Chunks(Chunks::Line(line)) => (1, line.take(bytes[at])),
                Self::Over => return,
            };
            at += taken;
            if matches!(next, Some(Self::Over)) {
                bytes[at - 1] = NUL;
            }
            if let Some(next) = next {
                *self = next;
            }
        }
    }
}

/// Passes over bytes of a part with `left` bytes to come; answers the number of bytes passed.
fn skip(left: &mut u64, there: usize) -> usize {
    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(there);
    *left -= skipped as u64;
    skipped
}

/// A head as far as arrived.
#[derive(Debug)]
pub(super) struct Head {
    line: [u8; LINE_MAX],
    /// Bytes of the present line, with the carriage return.
    length: usize,
    previous: u8,
    /// Whether the request line has begun. Empty lines before the request line are passed over.
    began: bool,
    body: Option<u64>,
    chunked: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            line: [0; LINE_MAX],
            length: 0,
            previous: 0,
            began: false,
            body: None,
            chunked: false,
        }
    }
}

impl Head {
    /// The state behind the byte; `None` while the head goes on.
    fn take(&mut self, byte: u8) -> Option<Heads> {
        if byte != b'\n' {
            if let Some(place) = self.line.get_mut(self.length) {
                *place = byte;
            }
            self.length = self.length.saturating_add(1);
            self.previous = byte;
            return None;
        }
        let length = std::mem::take(&mut self.length);
        if std::mem::take(&mut self.previous) != b'\r' {
            return Some(Heads::Over);
        }
        match length - 1 {
            0 if self.began => Some(self.end()),
            0 => None,
            length => {
                let is_header = std::mem::replace(&mut self.began, true);
                (is_header && !self.note(length)).then_some(Heads::Over)
            }
        }
    }

    /// Notes a line's statement of the body's length; `false` for a contradiction to an earlier line and
    /// for a value that is no length.
    fn note(&mut self, length: usize) -> bool {
        let line = &self.line[..length.min(LINE_MAX)];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return true };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let value = std::str::from_utf8(value).ok().filter(|_| digits && length <= LINE_MAX);
            let value = value.and_then(|digits| digits.parse().ok());
            let agrees = value.is_some() && self.body.is_none_or(|body| Some(body) == value);
            self.body = value;
            return agrees;
        }
        self.chunked |= name.eq_ignore_ascii_case(b"transfer-encoding");
        true
    }

    /// The body behind the head. Two statements of a length are refused.
    fn end(&self) -> Heads {
        match (self.chunked, self.body) {
            (true, Some(_)) => Heads::Over,
            (true, None) => Heads::Chunks(Chunks::first()),
            (false, None | Some(0)) => Heads::default(),
            (false, Some(length)) => Heads::Body(length),
        }
    }
}

/// A chunked body as far as arrived.
#[derive(Debug)]
pub(super) enum Chunks {
    Line(ChunkLine),
    Data(u64),
}

impl Chunks {
    fn first() -> Self {
        Self::Line(ChunkLine::new(ChunkPart::Size))
    }

    fn between() -> Self {
        Self::Line(ChunkLine::new(ChunkPart::DataEnd))
    }
}

/// A line between the data of chunks.
#[derive(Debug)]
pub(super) struct ChunkLine {
    part: ChunkPart,
    size: u64,
    /// Whether all so far were digits of a size.
    in_digits: bool,
    /// Whether there was anything but a carriage return.
    empty: bool,
    previous: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChunkPart {
    /// The length of a chunk.
    Size,
    /// The end of a chunk's data.
    DataEnd,
    /// The part behind the last chunk.
    Trailer,
}

impl ChunkLine {
    fn new(part: ChunkPart) -> Self {
        Self { part, size: 0, in_digits: true, empty: true, previous: 0 }
    }

    fn take(&mut self, byte: u8) -> Option<Heads> {
        if byte != b'\n' {
            self.empty &= byte == b'\r';
            self.previous = byte;
            if self.part == ChunkPart::Size {
                return self.digit(byte);
            }
            return None;
        }
        if self.previous != b'\r' {
            return Some(Heads::Over);
        }
        let line = |part| Heads::Chunks(Chunks::Line(Self::new(part)));
        Some(match self.part {
            ChunkPart::Size if self.size > 0 => Heads::Chunks(Chunks::Data(self.size)),
            ChunkPart::Size => line(ChunkPart::Trailer),
            ChunkPart::DataEnd => line(ChunkPart::Size),
            ChunkPart::Trailer if self.empty => Heads::default(),
            ChunkPart::Trailer => line(ChunkPart::Trailer),
        })
    }

    fn digit(&mut self, byte: u8) -> Option<Heads> {
        let digit = char::from(byte).to_digit(16).filter(|_| self.in_digits);
        let Some(digit) = digit else {
            self.in_digits = false;
            return None;
        };
        let size = self.size.checked_mul(16).and_then(|size| size.checked_add(digit.into()));
        self.size = size.unwrap_or_default();
        size.is_none().then_some(Heads::Over)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes through, when it arrives in pieces that are this long.
    fn passed(text: &[u8], piece: usize) -> Vec<u8> {
        let mut heads = Heads::default();
        let mut bytes = text.to_vec();
        bytes.chunks_mut(piece.max(1)).for_each(|part| heads.pass(part));
        bytes
    }

    fn passes(text: &str) -> bool {
        let whole = passed(text.as_bytes(), text.len());
        for piece in 1..9 {
            assert_eq!(passed(text.as_bytes(), piece), whole, "{piece}: {text:?}");
        }
        whole == text.as_bytes()
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn heads_with_proper_ends_come_through() {
        for text in [
            GET.to_owned(),
            format!("\r\n\r\n{GET}{GET}"),
            format!("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n\n\n\n\n{GET}"),
            format!("POST / HTTP/1.1\r\ncontent-length:\t0\r\n\r\n{GET}"),
            format!("POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n\n\n{GET}"),
            format!(
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n\n\n\r\nA\r\n\
                 0123456\n\r\n\r\n0\r\nX: y\r\n\r\n{GET}"
            ),
            format!("GET /{} HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(500), "y".repeat(500)),
        ] {
            assert!(passes(&text), "{text:?}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_does_not() {
        let behind = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\n\n";
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for text in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\r\n\n".to_owned(),
            format!("\n{GET}"),
            format!("{behind}GET / HTTP/1.1\n\n"),
            format!("{chunked}1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\n\n"),
            format!("{chunked}1\nx\r\n0\r\n\r\n"),
            format!("{chunked}1\r\nx\n0\r\n\r\n"),
            format!("{chunked}0\r\nX: y\n\r\n"),
            format!("{chunked}fffffffffffffffff\r\n"),
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\n".to_owned(),
            format!("POST / HTTP/1.1\r\nContent-Length: {}2\r\n\r\n", " ".repeat(90)),
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        ] {
            assert!(!passes(&text), "{text:?}");
        }
    }

    proptest! {
        /// Whatever bodies hold, no byte of them is touched, and each head behind one is found.
        #[test]
        fn bodies_come_through_as_they_are(
            bodies in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 1..5),
            piece in 1_usize..50,
        ) {
            let mut text = Vec::new();
            for (chunked, body) in &bodies {
                if *chunked {
                    text.extend(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
                    for part in body.chunks(7) {
                        text.extend(format!("{:x}\r\n", part.len()).bytes());
                        text.extend(part);
                        text.extend(b"\r\n");
                    }
                    text.extend(b"0\r\n\r\n");
                } else {
                    let head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
                    text.extend(head.bytes());
                    text.extend(body);
                }
            }
            prop_assert_eq!(&passed(&text, piece), &text);
            let end = text.len();
            text.extend(b"GET / HTTP/1.1\n");
            prop_assert_eq!(passed(&text, piece).last().copied(), Some(NUL));
            prop_assert_eq!(&passed(&text, piece)[..end], &text[..end]);
        }
    }
}
