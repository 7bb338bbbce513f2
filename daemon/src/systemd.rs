//! What systemd hands in and is told. Without systemd all of it is nothing.
use std::{
    io,
    net::TcpListener,
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::net::UnixListener,
    },
    sync::Mutex,
    time::Duration,
};

/// Sockets that were passed in; those that weren't are bound by the daemon itself.
#[derive(Debug, Default)]
pub struct Passed {
    /// The control socket.
    pub control: Option<UnixListener>,
    /// The HTTP socket.
    pub http: Option<TcpListener>,
}

/// Takes the sockets of `LISTEN_FDS`, told apart by what they are. A second call gives none: they belong to the first.
///
/// # Errors
/// The variables can't be read, or a socket of each kind is there more than once.
pub fn take_sockets() -> io::Result<Passed> {
    static TAKEN: Mutex<bool> = Mutex::new(false);
    let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut passed = Passed::default();
    if std::mem::replace(&mut *taken, true) {
        return Ok(passed);
    }
    for fd in sd_notify::listen_fds()? {
        #[allow(unsafe_code, reason = "the protocol of LISTEN_FDS hands over bare numbers")]
        // SAFETY: LISTEN_PID names this process, so the descriptor is open and ours; `TAKEN` makes this its only owner.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let control = UnixListener::from(socket.try_clone()?);
        if control.local_addr().is_ok() {
            put(&mut passed.control, control, "Unix")?;
        } else {
            put(&mut passed.http, TcpListener::from(socket), "TCP")?;
        }
    }
    Ok(passed)
}

fn put<T>(place: &mut Option<T>, socket: T, kind: &str) -> io::Result<()> {
    if place.replace(socket).is_some() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("more than one {kind} socket was passed in")));
    }
    Ok(())
}

/// The daemon serves; `status` is one line for `systemctl status`.
pub fn ready(status: &str) {
    tell(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(status)]);
}

/// The daemon is stopping, and may need so long for it: until then systemd doesn't kill it, whatever its unit says.
pub fn stopping(at_most: Duration) {
    tell(&[
        sd_notify::NotifyState::Stopping,
        sd_notify::NotifyState::ExtendTimeoutUsec(u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX)),
        sd_notify::NotifyState::Status("stopping: waiting for what is on the wire"),
    ]);
}

fn tell(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
