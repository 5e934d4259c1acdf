//! Content codings.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use flate2::read::{DeflateDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::Refusal;
use crate::work::{DEFLATE_RATIO_MAX, INLINE_BYTES_MAX};

/// The most members of a gzip body. Each member costs some microseconds, whatever the content, and
/// 20 bytes: a body of 10 MB could have half a million. Files compressed in blocks have a member
/// for each 64 KiB, and a log joined from parts has a member for each part.
const MEMBERS_MAX: usize = 10_000;

/// The most members of a body decoded at once.
const INLINE_MEMBERS_MAX: usize = 100;

/// The size of the work on a body, in bytes: the decoded size. A coded body is decoded to find out,
/// as long as the result may be small.
pub(super) fn weight(headers: &HeaderMap, body: &[u8]) -> usize {
    let coding = headers.get(CONTENT_ENCODING).map_or(&b""[..], |value| value.as_bytes());
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
        return body.len();
    }
    if body.len() > INLINE_BYTES_MAX {
        return usize::MAX;
    }
    let mut sink = Bounded { left: INLINE_BYTES_MAX };
    let copied = match (is_gzip(coding), is_zlib(body)) {
        (true, _) => io::copy(&mut Members::new(body, INLINE_MEMBERS_MAX), &mut sink),
        (false, true) => io::copy(&mut ZlibDecoder::new(body), &mut sink),
        (false, false) => io::copy(&mut DeflateDecoder::new(body), &mut sink),
    };
    match copied {
        Ok(bytes) => body.len().max(usize::try_from(bytes).unwrap_or(usize::MAX)),
        // A fault early in the body is found again just as soon.
        Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => usize::MAX,
        Err(_) => body.len(),
    }
}

/// Takes a number of bytes and keeps none.
struct Bounded {
    left: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::QuotaExceeded)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The members of a gzip body, in order, up to a number.
struct Members<'a> {
    member: GzDecoder<&'a [u8]>,
    more: usize,
}

impl<'a> Members<'a> {
    fn new(body: &'a [u8], most: usize) -> Self {
        Self { member: GzDecoder::new(body), more: most.saturating_sub(1) }
    }
}

impl Read for Members<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let bytes = self.member.read(buffer)?;
            let rest: &[u8] = self.member.get_ref();
            if bytes > 0 || buffer.is_empty() || rest.is_empty() {
                return Ok(bytes);
            }
            self.more = self.more.checked_sub(1).ok_or(io::ErrorKind::QuotaExceeded)?;
            self.member = GzDecoder::new(rest);
        }
    }
}

fn is_gzip(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip")
}

/// Undoes the content coding, under the same cap as the body itself.
pub(super) fn decode(
    headers: &HeaderMap,
    body: &Bytes,
    bytes_max: usize,
) -> Result<Bytes, Refusal> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let coding = codings.next().map_or(&b""[..], |value| value.as_bytes().trim_ascii());
    if codings.next().is_some() {
        return Err(Refusal::Coding("only one content coding may be applied"));
    }
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") || body.is_empty() {
        return Ok(body.clone());
    }
    let is = |name: &[u8]| coding.eq_ignore_ascii_case(name);
    if is_gzip(coding) {
        let room = gzip_size(body).min(bytes_max);
        inflate(Members::new(body, MEMBERS_MAX), "gzip", bytes_max, room)
    } else if is(b"deflate") && is_zlib(body) {
        inflate(ZlibDecoder::new(&body[..]), "deflate", bytes_max, 0)
    } else if is(b"deflate") {
        inflate(DeflateDecoder::new(&body[..]), "deflate", bytes_max, 0)
    } else {
        Err(Refusal::Coding("the content coding is neither gzip nor deflate"))
    }
}

/// Whether a body begins with a zlib header (RFC 1950). The coding `deflate` means zlib, but some
/// senders leave the frame out.
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [method, flags, ..] => {
            method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0
        }
        _ => false,
    }
}

/// The decoded size stated in a gzip body (RFC 1952, ISIZE), so that a large result is not copied
/// as the buffer grows. The number may be false, or the body may have several parts; so the number
/// is capped by deflate's highest ratio.
fn gzip_size(body: &[u8]) -> usize {
    let said = body.last_chunk().map_or(0, |size| u32::from_le_bytes(*size));
    usize::try_from(said).unwrap_or(usize::MAX).min(body.len().saturating_mul(DEFLATE_RATIO_MAX))
}

/// Decodes up to the cap into a buffer with `room` to begin with.
fn inflate(
    decoder: impl Read,
    coding: &str,
    bytes_max: usize,
    room: usize,
) -> Result<Bytes, Refusal> {
    // One byte past the cap tells a too large body from a body of exactly the most bytes.
    let cap = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoded = Vec::with_capacity(room);
    decoder.take(cap).read_to_end(&mut decoded).map_err(|error| match error.kind() {
        io::ErrorKind::QuotaExceeded => {
            Refusal::Malformed(format!("the body has more than {MEMBERS_MAX} {coding} members"))
        }
        _ => Refusal::Malformed(format!("the body is not {coding}, as its encoding says")),
    })?;
    if decoded.len() > bytes_max {
        return Err(Refusal::TooLarge);
    }
    Ok(decoded.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    fn coded(coding: &str) -> HeaderMap {
        [(CONTENT_ENCODING, coding.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn gzip_is_undone_up_to_the_cap_exactly() {
        let body = gzip(&[b'7'; 1000]);
        for coding in ["gzip", "GZIP", "x-gzip"] {
            assert_eq!(decode(&coded(coding), &body, 1000).unwrap(), vec![b'7'; 1000]);
        }
        assert_eq!(decode(&coded("gzip"), &body, 999), Err(Refusal::TooLarge));
        let two = Bytes::from([gzip(b"1"), gzip(b"2")].concat());
        assert_eq!(decode(&coded("gzip"), &two, 10).unwrap(), "12");
    }

    #[test]
    fn members_are_bounded_by_their_number() {
        let many =
            |count: usize| Bytes::from([gzip(b"").repeat(count), gzip(b"1").into()].concat());
        assert_eq!(decode(&coded("gzip"), &many(MEMBERS_MAX - 1), 10).unwrap(), "1");
        let refused = decode(&coded("gzip"), &many(MEMBERS_MAX), 10);
        let words = format!("the body has more than {MEMBERS_MAX} gzip members");
        assert_eq!(refused, Err(Refusal::Malformed(words)));
        // Something else after the first is refused as before.
        let junk = Bytes::from([&gzip(b"1")[..], b"junk, and more of it"].concat());
        let refused = decode(&coded("gzip"), &junk, 100);
        assert!(matches!(refused, Err(Refusal::Malformed(words)) if words.contains("is not gzip")));
    }

    #[test]
    fn what_decodes_to_much_or_slowly_is_large() {
        let weigh = |coding: &str, body: &[u8]| weight(&coded(coding), body);
        assert_eq!(weight(&HeaderMap::new(), &[b'7'; 1_000]), 1_000);
        assert_eq!(weigh("identity", &[b'7'; 1_000]), 1_000);
        assert_eq!(weigh("gzip", &gzip(&[b'7'; 50_000])), 50_000);
        assert_eq!(weigh("gzip", &gzip(&vec![b'7'; INLINE_BYTES_MAX + 1])), usize::MAX);
        assert_eq!(weigh("gzip", &gzip(b"").repeat(INLINE_MEMBERS_MAX + 1)), usize::MAX);
        assert_eq!(weigh("gzip", &vec![b'7'; INLINE_BYTES_MAX + 1]), usize::MAX);
        assert_eq!(weigh("gzip", b"not gzip"), 8);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&vec![b'7'; INLINE_BYTES_MAX + 1]).unwrap();
        assert_eq!(weigh("deflate", &zlib.finish().unwrap()), usize::MAX);
    }

    #[test]
    fn what_is_no_gzip_is_refused() {
        let cut = gzip(b"hello").slice(..12);
        for body in [Bytes::from_static(b"hello"), cut] {
            assert!(matches!(decode(&coded("gzip"), &body, 100), Err(Refusal::Malformed(_))));
        }
        for coding in ["br", "gzip, gzip", "zstd"] {
            let refused = decode(&coded(coding), &Bytes::from_static(b"x"), 100);
            assert!(matches!(refused, Err(Refusal::Coding(_))), "{coding}");
        }
    }

    #[test]
    fn deflate_is_undone_with_and_without_its_frame() {
        let text = br#"{"a":"some text, some text, some text"}"#;
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(text).unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(text).unwrap();
        for body in [zlib.finish().unwrap(), raw.finish().unwrap()].map(Bytes::from) {
            assert_eq!(decode(&coded("deflate"), &body, 100).unwrap(), &text[..]);
            assert_eq!(decode(&coded("deflate"), &body, 10), Err(Refusal::TooLarge));
            let cut = body.slice(..body.len() / 2);
            assert!(matches!(decode(&coded("deflate"), &cut, 100), Err(Refusal::Malformed(_))));
        }
        let plain = Bytes::from_static(b"plain text");
        assert!(matches!(decode(&coded("Deflate"), &plain, 100), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_cap() {
        // A thousandth of what it decodes to.
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..1_000 {
            bomb.write_all(&[0; 100_000]).unwrap();
        }
        let bomb = Bytes::from(bomb.finish().unwrap());
        assert!(bomb.len() < 110_000);
        let mut read = Counted { decoder: Members::new(&bomb, MEMBERS_MAX), bytes: 0 };
        assert_eq!(inflate(&mut read, "gzip", 1_000_000, 0), Err(Refusal::TooLarge));
        assert_eq!(read.bytes, 1_000_001);
    }

    #[test]
    fn room_is_made_for_what_a_gzip_body_says() {
        let text = vec![b'7'; 100_000];
        assert_eq!(gzip_size(&gzip(&text)), 100_000);
        assert_eq!(gzip_size(b"1234567\xff\xff\xff\xff"), 11 * DEFLATE_RATIO_MAX);
        assert_eq!(gzip_size(b"123"), 0);
        // Of two parts only the last one's size is said.
        let two = Bytes::from([gzip(&text), gzip(b"1")].concat());
        assert_eq!(decode(&coded("gzip"), &two, 200_000).unwrap().len(), 100_001);
    }

    /// Counts what is read.
    struct Counted<R> {
        decoder: R,
        bytes: usize,
    }

    impl<R: Read> Read for &mut Counted<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let bytes = self.decoder.read(buffer)?;
            self.bytes += bytes;
            Ok(bytes)
        }
    }

    #[test]
    fn no_coding_leaves_the_body() {
        let body = Bytes::from_static(b"x");
        assert_eq!(decode(&HeaderMap::new(), &body, 1), Ok(body.clone()));
        assert_eq!(decode(&coded("identity"), &body, 1), Ok(body));
        assert_eq!(decode(&coded("gzip"), &Bytes::new(), 1), Ok(Bytes::new()));
    }
}
