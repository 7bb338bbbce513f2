//! Who is at the other end of the socket.
use crate::store::types::By;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tonic::{Request, Status, transport::server::UdsConnectInfo};

/// A name service that takes longer isn't waited for: the number says enough.
const NAME_TIMEOUT: Duration = Duration::from_millis(300);

/// Names of users by number, looked up once each. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Arc<Mutex<HashMap<u32, String>>>);

/// The peer's user, as the kernel says it.
pub(super) fn uid<T>(request: &Request<T>) -> Result<u32, Status> {
    let info = request.extensions().get::<UdsConnectInfo>();
    let credentials = info.and_then(|info| info.peer_cred);
    let credentials = credentials
        .ok_or_else(|| Status::unauthenticated("the kernel doesn't say who is at the other end of this connection"))?;
    Ok(credentials.uid())
}

impl Names {
    /// The person with this number. Looking a name up may ask a server: it never holds up a pause for long.
    pub(super) async fn by(&self, uid: u32) -> Result<By, Status> {
        if let Some(name) = self.known(uid) {
            return Ok(By::Person { name, uid });
        }
        let lookup = tokio::task::spawn_blocking(move || nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)));
        let name = match tokio::time::timeout(NAME_TIMEOUT, lookup).await {
            Ok(Ok(Ok(Some(user)))) => user.name,
            // No such user, no answer, no name service: "?" is remembered only when it is certain.
            Ok(Ok(Ok(None))) => "?".to_owned(),
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => return Ok(By::Person { name: "?".to_owned(), uid }),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, name.clone());
        Ok(By::Person { name, uid })
    }

    fn known(&self, uid: u32) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&uid).cloned()
    }
}

/// `name(uid)`, for the header of the console.
pub(super) fn you(by: &By) -> String {
    match by {
        By::Person { name, uid } => format!("{name}({uid})"),
        By::Engine | By::Schedule | By::Webhook => by.to_string(),
    }
}
