//! Content codings.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::Refusal;

/// Undoes the content coding, under the same cap as the body itself.
pub(super) fn decode(
    headers: &HeaderMap,
    body: &Bytes,
    bytes_max: usize,
) -> Result<Bytes, Refusal> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let coding = codings.next().map_or(&b""[..], |value| value.as_bytes().trim_ascii());
    if codings.next().is_some() {
        return Err(Refusal::Unsupported("only one content coding may be applied"));
    }
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") || body.is_empty() {
        return Ok(body.clone());
    }
    if !coding.eq_ignore_ascii_case(b"gzip") && !coding.eq_ignore_ascii_case(b"x-gzip") {
        return Err(Refusal::Unsupported("the content coding is not gzip"));
    }
    // One byte past the cap tells a body that is too large from one that just fits.
    let cap = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoded = Vec::new();
    MultiGzDecoder::new(&body[..])
        .take(cap)
        .read_to_end(&mut decoded)
        .map_err(|_| Refusal::Malformed("the body is not gzip, as its encoding says".to_owned()))?;
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
        for coding in ["br", "deflate", "gzip, gzip", "zstd"] {
            let refused = decode(&coded(coding), &Bytes::from_static(b"x"), 100);
            assert!(matches!(refused, Err(Refusal::Unsupported(_))), "{coding}");
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
