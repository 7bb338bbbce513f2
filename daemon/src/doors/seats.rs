//! A door has so many seats: whoever opens more connections than that waits outside, and takes no file descriptor that a send, a webhook or a
//! pause needs.
//!
//! Who comes in: the doors' servers, for their next connection. Invariant: a seat is free again when its connection is closed.
use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tonic::transport::server::{Connected, UdsConnectInfo};

/// A connection that couldn't be taken (no file descriptor is left) isn't asked for again at once.
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// A socket with so many seats.
#[derive(Debug)]
pub(super) struct Seats<L> {
    listener: L,
    free: Arc<Semaphore>,
}

impl<L> Seats<L> {
    pub(super) fn new(listener: L, count: usize) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(count)) }
    }

    /// Waits for a seat, and then for somebody to take it.
    async fn seat<S, A>(&self, accept: impl AsyncFn(&L) -> io::Result<(S, A)>) -> (Seated<S>, A) {
        // The semaphore is never closed.
        let seat = Arc::clone(&self.free).acquire_owned().await.ok();
        loop {
            match accept(&self.listener).await {
                Ok((stream, address)) => return (Seated { stream, _seat: seat }, address),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
        }
    }
}

impl axum::serve::Listener for Seats<TcpListener> {
    type Io = Seated<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        self.seat(TcpListener::accept).await
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Seats<UnixListener> {
    /// One connection after the other.
    pub(super) fn connections(self) -> impl futures::Stream<Item = io::Result<Seated<UnixStream>>> {
        futures::stream::unfold(self, async |seats| {
            let (seated, _) = seats.seat(UnixListener::accept).await;
            Some((Ok(seated), seats))
        })
    }
}

/// A connection on its seat.
#[derive(Debug)]
pub(super) struct Seated<S> {
    stream: S,
    _seat: Option<OwnedSemaphorePermit>,
}

impl Connected for Seated<UnixStream> {
    type ConnectInfo = UdsConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Seated<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Seated<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::serve::Listener;
    use futures::poll;

    #[tokio::test]
    async fn who_finds_no_seat_is_taken_when_one_is_free_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut seats = Seats::new(listener, 1);
        let (_one, _two) = (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let (first, _) = seats.accept().await;
        let mut second = Box::pin(seats.accept());
        assert!(poll!(&mut second).is_pending(), "both were taken at once");
        drop(first);
        second.await;
    }
}
