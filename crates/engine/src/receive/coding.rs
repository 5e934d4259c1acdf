//! Content codings.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::Refusal;

/// Bytes that one byte of deflate decodes to at most: 258 for two bits.
const DEFLATE_RATIO_MAX: usize = 1_032;

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
    if is(b"gzip") || is(b"x-gzip") {
        let room = gzip_size(body).min(bytes_max);
        inflate(MultiGzDecoder::new(&body[..]), "gzip", bytes_max, room)
    } else if is(b"deflate") && is_zlib(body) {
        inflate(ZlibDecoder::new(&body[..]), "deflate", bytes_max, 0)
    } else if is(b"deflate") {
        inflate(DeflateDecoder::new(&body[..]), "deflate", bytes_max, 0)
    } else {
        Err(Refusal::Coding("the content coding is neither gzip nor deflate"))
    }
}

/// Whether a body begins as zlib does (RFC 1950). That is what `deflate` means, but some senders leave
/// the frame out.
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [method, flags, ..] => {
            method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0
        }
        _ => false,
    }
}

/// What a gzip body says that it decodes to (RFC 1952, ISIZE), so that a large one is not copied as it
/// grows. It may lie, or have several parts; so it is taken for no more than what deflate can do.
fn gzip_size(body: &[u8]) -> usize {
    let said = body.last_chunk().map_or(0, |size| u32::from_le_bytes(*size));
    usize::try_from(said).unwrap_or(usize::MAX).min(body.len().saturating_mul(DEFLATE_RATIO_MAX))
}

/// Decodes up to the cap into a buffer that has `room` to begin with.
fn inflate(
    decoder: impl Read,
    coding: &str,
    bytes_max: usize,
    room: usize,
) -> Result<Bytes, Refusal> {
    // One byte past the cap tells a body that is too large from one that just fits.
    let cap = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoded = Vec::with_capacity(room);
    decoder.take(cap).read_to_end(&mut decoded).map_err(|_| {
        Refusal::Malformed(format!("the body is not {coding}, as its encoding says"))
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
        let mut read = Counted { decoder: MultiGzDecoder::new(&bomb[..]), bytes: 0 };
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
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
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
