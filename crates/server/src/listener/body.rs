//! Bodies that report their progress to the connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::connection::Connection;
use super::pace::Pace;

/// A request's body, which must arrive at a tolerable pace.
pub(super) struct Arriving {
    body: Incoming,
    pace: Pace,
    connection: Arc<Connection>,
    ended: bool,
}

impl Arriving {
    pub(super) fn new(body: Incoming, connection: Arc<Connection>, stall: Duration) -> Self {
        let ended = body.is_end_stream();
        Self { body, pace: Pace::new(stall), connection, ended }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => {
                match &frame {
                    Some(Ok(frame)) => this.pace.moved(frame.data_ref().map_or(0, Bytes::len)),
                    Some(Err(_)) | None => this.ended = true,
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => this.pace.poll_stalled(context).map(|()| {
                this.connection.stall();
                let error = io::Error::new(io::ErrorKind::TimedOut, "the body came too slowly");
                Some(Err(error.into()))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.connection.leave_unread();
        }
    }
}

/// An answer's body. When the body is dropped, the connection waits for the next request.
pub(super) struct Answering {
    body: Body,
    connection: Arc<Connection>,
}

impl Answering {
    pub(super) fn new(body: Body, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.connection.answered();
    }
}
