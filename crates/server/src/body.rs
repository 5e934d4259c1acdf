//! Reading the bodies of requests.

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;

use crate::budget::{Account, Full};

/// The room made at the first bytes of a body, at most: most bodies are smaller. Full room then doubles.
const FIRST_BYTES: usize = 16 << 10;

/// A body with a declared length of at most this many times its present room gets room for the whole, so
/// that the last part of a large body costs no further copy.
const TRUSTED_TIMES: usize = 8;

/// Room that may stay unused behind a body without a declared length: an eighth of the body.
const SPARE_PART: usize = 8;

/// The reason why a body was not read to the end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// The body is larger than the bound.
    #[error("the body is too large")]
    TooLarge,
    /// Memory has no room for the body. The gate answers, whatever the handler does with this error.
    #[error("there is no room for the body now")]
    Full,
    /// The caller went away or was too slow.
    #[error(transparent)]
    Broken(#[from] axum::Error),
}

impl From<Full> for Unread {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

/// Reads a body of at most `bytes_max` bytes to the end, into memory of its own.
///
/// A declared length alone costs nothing, and a part of a body costs at most [`TRUSTED_TIMES`] its size.
/// Arriving bytes are copied, because each piece is a part of the connection's buffer: pieces of a byte
/// would keep a buffer each.
pub(crate) async fn read(mut body: Body, bytes_max: usize) -> Result<Bytes, Unread> {
    let declared = body.size_hint().exact().map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    if declared.is_some_and(|bytes| bytes > bytes_max) {
        return Err(Unread::TooLarge);
    }
    let account = Account::current();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if data.len() > bytes_max - whole.len() {
            return Err(Unread::TooLarge);
        }
        let needed = whole.len() + data.len();
        if needed > whole.capacity() {
            let doubled = (2 * whole.capacity()).max(FIRST_BYTES);
            let trusted = declared.filter(|bytes| *bytes <= TRUSTED_TIMES * whole.capacity());
            let room = trusted.unwrap_or(doubled.min(declared.unwrap_or(bytes_max))).max(needed);
            if let Some(account) = &account {
                account.take(room - whole.capacity())?;
            }
            whole.reserve_exact(room - whole.len());
        }
        whole.extend_from_slice(&data);
    }
    let spare = whole.capacity() - whole.len();
    if spare > whole.len() / SPARE_PART {
        whole.shrink_to_fit();
        if let Some(account) = &account {
            account.give_back(spare);
        }
    }
    Ok(whole.into())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use futures_util::stream;

    use super::*;
    use crate::budget::Budget;

    /// A body without a declared length that comes in these pieces.
    fn pieces(pieces: Vec<Vec<u8>>) -> Body {
        let pieces = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn bodies_are_read_whole_up_to_their_bound() {
        for length in [0, 1, 100, FIRST_BYTES - 1, FIRST_BYTES, 100_000] {
            let text: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            for piece in [1_000, 7_919] {
                let body = pieces(text.chunks(piece).map(<[u8]>::to_vec).collect());
                assert_eq!(read(body, length).await.unwrap(), text);
            }
            assert_eq!(read(Body::from(text.clone()), length).await.unwrap(), text);
            if length > 0 {
                let body = pieces(vec![text.clone()]);
                assert!(matches!(read(body, length - 1).await, Err(Unread::TooLarge)));
                assert!(matches!(read(Body::from(text), length - 1).await, Err(Unread::TooLarge)));
            }
        }
    }

    #[tokio::test]
    async fn a_body_holds_what_it_has_and_no_more() {
        let budget = Budget::new(1 << 20);
        let account = budget.account(None);
        let small =
            Arc::clone(&account).scope(read(Body::from("x".repeat(100)), 1 << 20)).await.unwrap();
        assert_eq!((small.len(), budget.held()), (100, 100));
        account.clear();
        let body = pieces(vec![vec![b'x'; 1_000]; 50]);
        let read_whole = Arc::clone(&account).scope(read(body, 1 << 20)).await.unwrap();
        assert_eq!((read_whole.len(), budget.held()), (50_000, 50_000));
        assert_eq!(read_whole.try_into_mut().unwrap().capacity(), 50_000);
        account.clear();
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test]
    async fn whoever_sends_one_byte_of_much_holds_little() {
        let budget = Budget::new(100_000);
        let account = budget.account(None);
        let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"x")) });
        let body = Body::from_stream(futures_util::StreamExt::chain(first, stream::pending()));
        let reading = tokio::spawn(Arc::clone(&account).scope(read(body, 10 << 20)));
        while budget.held() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(budget.held(), FIRST_BYTES);
        let body = pieces(vec![vec![b'x'; 1_000]; 100]);
        let more = budget.account(None).scope(read(body, 1 << 20)).await;
        assert!(matches!(more, Err(Unread::Full)));
        reading.abort();
        let _ = reading.await;
        drop(account);
        assert_eq!(budget.held(), 0);
    }
}
