//! A TCP connection that ends when the other side does not move.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::Bounds;
use super::connection::Connection;
use super::heads::Heads;
use super::pace::Pace;

/// After the answer to an unfinished body, further bytes of the caller are taken in for this long. A close
/// at once would make the system report a reset to the caller, and many callers would throw the answer
/// away.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// Bytes thrown away at a time.
const LINGER_BYTES: usize = 16 << 10;

/// The connection. Silence between requests is hyper's to end, and silence within a body is for the
/// body itself to notice, which can be answered.
pub(super) struct Wire {
    stream: TcpStream,
    connection: Arc<Connection>,
    bounds: Arc<Bounds>,
    heads: Heads,
    /// The deadline for a partly arrived head.
    head: Option<Pin<Box<Sleep>>>,
    writing: Pace,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>, bounds: Arc<Bounds>) -> Self {
        let writing = Pace::new(bounds.stall);
        Self {
            stream,
            connection,
            bounds,
            heads: Heads::default(),
            head: None,
            writing,
            lingering: None,
        }
    }

    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(bytes)) => self.writing.moved(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                ready!(self.writing.poll_stalled(context));
                return Poll::Ready(Err(too_slow("the answer is not read")));
            }
        }
        result
    }

    /// Throws away what still comes, until the other side has no more or the time is over.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER_MAX)));
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut room = [0; LINGER_BYTES];
        loop {
            let mut buffer = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

fn too_slow(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_ready() {
            if buffer.filled().len() > before && this.connection.received() {
                this.head = None;
            }
            this.heads.pass(&mut buffer.filled_mut()[before..]);
            return read;
        }
        if !this.connection.awaits_head() {
            this.head = None;
            return Poll::Pending;
        }
        let limit = this.bounds.head;
        let head = this.head.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(head.as_mut().poll(context));
        Poll::Ready(Err(too_slow("the head of a request came too slowly")))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.wrote(context, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.wrote(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.connection.has_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        this.poll_linger(context).map(Ok)
    }
}
