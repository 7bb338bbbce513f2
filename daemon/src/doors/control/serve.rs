//! The socket of the control door, and the server on it.
use super::{ControlDoor, rights::Gated};
use crate::doors::seats::Seats;
use payout_proto::{DESCRIPTORS, v1};
use std::{
    io::ErrorKind,
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
};
use tokio::net::UnixListener;
use tonic::transport::Server;

/// Who may open the socket: its owner and its group.
const MODE: u32 = 0o660;
/// Connections at once: each console holds one.
const CONNECTIONS_MAX: usize = 256;
/// Requests of one connection at once.
const STREAMS_MAX: u32 = 64;
/// A request of this size holds 50,000 creators with ids of 200 bytes.
const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why the socket isn't there.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody listens there.
    #[error("another program listens on {0}: is a payoutd running already?")]
    Taken(PathBuf),
    /// Something else lies there.
    #[error("{0} exists and is not a socket: it is left alone; remove it, or give another --socket")]
    NotASocket(PathBuf),
    /// The directory.
    #[error(
        "the control socket {path} cannot be made: {error}; its directory must exist and be writable for this user"
    )]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Binds the socket, for its owner and group. A socket file on which nobody listens is what a dead daemon left behind: it is replaced.
///
/// # Errors
/// [`BindError`].
pub fn bind(path: &Path) -> Result<UnixListener, BindError> {
    let io = |error| BindError::Io { path: path.to_owned(), error };
    clear(path)?;
    let listener = UnixListener::bind(path).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => BindError::Taken(path.to_owned()),
        _ => io(error),
    })?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).map_err(io)?;
    Ok(listener)
}

fn clear(path: &Path) -> Result<(), BindError> {
    let io = |error| BindError::Io { path: path.to_owned(), error };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
        Ok(meta) if !std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()) => {
            return Err(BindError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(io),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Listening, or not ours to judge.
        Ok(_) => Err(BindError::Taken(path.to_owned())),
        Err(error) => Err(io(error)),
    }
}

/// Serves the control API, health and reflection until the door's `stop`; then its streams end and requests at work finish.
///
/// # Errors
/// The listener broke.
pub async fn serve(door: ControlDoor, listener: UnixListener) -> anyhow::Result<()> {
    let (stop, people) = (door.stop.clone(), door.people.clone());
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<v1::control_server::ControlServer<ControlDoor>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .add_service(health)
        .add_service(reflection)
        .add_service(Gated::new(
            v1::control_server::ControlServer::new(door).max_decoding_message_size(REQUEST_BYTES_MAX),
            people,
        ))
        .serve_with_incoming_shutdown(Seats::new(listener, CONNECTIONS_MAX).connections(), stop.cancelled_owned())
        .await?;
    Ok(())
}
