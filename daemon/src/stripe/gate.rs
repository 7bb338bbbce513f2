//! The last door before the wire: it stands between HTTP and the connection, and knows whether a byte of a request has left.
//!
//! Who comes in: the connections of the live client. Whom it may call: the clock.
//! Invariant: a request whose gate says "not written" when it is shut has not left and never will. All that a request's outcome
//! rests on is decided here, under one lock, not in the HTTP library.
use crate::clock::{BootMs, Clock};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

/// One connection's gate. Clones are the same gate.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    clock: Clock,
    pass: Arc<Mutex<Pass>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// No request, or given up: every write is refused.
    Shut,
    /// A request may begin before this.
    Open(BootMs),
    /// A request has begun: its first bytes were handed to the connection, so they may have left.
    Begun,
}

impl Gate {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, pass: Arc::new(Mutex::new(Pass::Shut)) }
    }

    /// Lets one request begin, before `send_before`.
    pub(super) fn open(&self, send_before: BootMs) {
        *self.pass() = Pass::Open(send_before);
    }

    /// Lets nothing more through. True when a byte of the request may have left.
    pub(super) fn shut(&self) -> bool {
        std::mem::replace(&mut *self.pass(), Pass::Shut) == Pass::Begun
    }

    /// Asked before every write. Whatever happens to that write, from here on the request counts as begun.
    fn admit(&self) -> io::Result<()> {
        let mut pass = self.pass();
        match *pass {
            Pass::Begun => Ok(()),
            Pass::Open(send_before) if self.clock.boot() < send_before => {
                *pass = Pass::Begun;
                Ok(())
            }
            Pass::Open(_) => {
                *pass = Pass::Shut;
                Err(io::Error::new(io::ErrorKind::TimedOut, "its time to leave had passed before the first byte"))
            }
            Pass::Shut => Err(io::Error::new(io::ErrorKind::PermissionDenied, "the gate is shut")),
        }
    }

    fn pass(&self) -> MutexGuard<'_, Pass> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection behind its gate.
#[derive(Debug)]
pub(super) struct Gated<T> {
    pub(super) io: T,
    pub(super) gate: Gate,
}

impl<T: Read + Unpin> Read for Gated<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: Write + Unpin> Write for Gated<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Err(refused) = self.gate.admit() {
            return Poll::Ready(Err(refused));
        }
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Err(refused) = self.gate.admit() {
            return Poll::Ready(Err(refused));
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_request_begins_only_before_its_time_and_only_once_opened() {
        let (clock, hand) = Clock::manual(0);
        let gate = Gate::new(clock.clone());
        assert!(gate.admit().is_err(), "nothing leaves through a gate that nobody opened");
        gate.open(clock.boot().plus_ms(10));
        hand.advance(9);
        assert!(gate.admit().is_ok());
        hand.advance(1);
        assert!(gate.admit().is_ok(), "what has begun may be finished");
        assert!(gate.shut());
        assert!(gate.admit().is_err());
        gate.open(clock.boot());
        assert!(gate.admit().is_err());
        assert!(!gate.shut(), "refused is not written");
    }

    #[tokio::test]
    async fn a_request_whose_time_passes_on_its_way_to_the_wire_writes_nothing() {
        use http_body_util::Full;
        use hyper_util::rt::TokioIo;
        use tokio::io::AsyncReadExt as _;
        let (clock, hand) = Clock::manual(0);
        let gate = Gate::new(clock.clone());
        let (ours, mut theirs) = tokio::io::duplex(1_024);
        let gated = Gated { io: TokioIo::new(ours), gate: gate.clone() };
        let (mut sender, driver) = hyper::client::conn::http1::handshake(gated).await.unwrap();
        gate.open(clock.boot().plus_ms(10));
        // Handed over in time, but whoever writes it comes too late: frozen between the check and the write.
        let request = http::Request::post("/v1/payouts").body(Full::new(bytes::Bytes::from("amount=1"))).unwrap();
        let sending = tokio::spawn(sender.try_send_request(request));
        hand.advance(10);
        let peer = async move {
            let mut bytes = [0; 64];
            theirs.read(&mut bytes).await
        };
        let (_, sent, written) = tokio::join!(driver, sending, peer);
        assert_eq!(written.unwrap(), 0, "bytes on the wire");
        assert!(sent.unwrap().is_err());
        assert!(!gate.shut());
    }
}
