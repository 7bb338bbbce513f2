//! Who is at the other end of the socket, and what they are: the peer's uid by the kernel, name and groups by the system's user database.
//!
//! Invariants: nothing that a message says decides who somebody is; a name service that doesn't answer never makes anybody more than
//! they were; root and the daemon's own user need no name service.
use crate::{
    clock::{BootMs, Clock},
    store::types::By,
};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use payout_shared::roles::{RoleGroups, Roles};
use std::{
    collections::HashMap,
    ffi::CString,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;

/// A name service that takes longer isn't waited for: a pause must not hang on it.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(1);
/// Looked up again after this: a group taken away counts within it.
const FRESH_MS: i64 = 30_000;
/// What was known this long ago still counts while the name service doesn't answer.
const KNOWN_MS: i64 = 600_000;
/// Lookups at once: each takes a thread, and can't be called off.
const LOOKUPS_MAX: usize = 4;

/// Somebody, as the system's user database has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The number.
    pub uid: u32,
    /// The name; `None` for a number without one.
    pub name: Option<String>,
    /// Those of the groups asked about that they are in.
    pub groups: Vec<String>,
}

type Ask = dyn Fn(u32, &[String]) -> Result<Person, String> + Send + Sync;

/// How people and their groups are looked up.
#[derive(Clone)]
pub struct Lookup(Arc<Ask>);

impl Lookup {
    /// By the system's user database.
    #[must_use]
    pub fn system() -> Self {
        Self::by(system)
    }

    /// By this function: who is the peer with this uid, and which of these groups are they in?
    #[must_use]
    pub fn by(ask: impl Fn(u32, &[String]) -> Result<Person, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

/// Those of the configured groups that this machine doesn't have: nobody gets their roles.
#[must_use]
pub fn missing_groups(groups: &RoleGroups) -> Vec<String> {
    let missing = groups.names().into_iter().filter(|name| matches!(Group::from_name(name), Ok(None)));
    missing.map(str::to_owned).collect()
}

fn system(uid: u32, wanted: &[String]) -> Result<Person, String> {
    let user = User::from_uid(Uid::from_raw(uid)).map_err(|error| format!("user {uid}: {error}"))?;
    let Some(user) = user else { return Ok(Person { uid, name: None, groups: Vec::new() }) };
    let name = CString::new(user.name.as_str()).map_err(|_| format!("user {uid} has a name with a NUL in it"))?;
    let mut groups = Vec::new();
    if !wanted.is_empty() {
        let all: Vec<Gid> =
            getgrouplist(&name, user.gid).map_err(|error| format!("groups of {}: {error}", user.name))?;
        for group in wanted {
            let known = Group::from_name(group).map_err(|error| format!("group {group}: {error}"))?;
            if known.is_some_and(|known| all.contains(&known.gid)) {
                groups.push(group.clone());
            }
        }
    }
    Ok(Person { uid, name: Some(user.name), groups })
}

/// Who is calling, as the door judged it once for this request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// For the journal.
    pub(super) by: By,
    /// What they may do.
    pub(super) roles: Roles,
    /// Why their groups aren't known.
    pub(super) unknown: Option<String>,
}

impl Caller {
    /// `name(uid)`, for the header of the console.
    pub(super) fn you(&self) -> String {
        match &self.by {
            By::Person { name, uid } => format!("{name}({uid})"),
            By::Engine | By::Schedule | By::Webhook => self.by.to_string(),
        }
    }
}

/// The people of this machine, each looked up at most every [`FRESH_MS`]. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct People(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    groups: RoleGroups,
    names: Vec<String>,
    lookup: Lookup,
    clock: Clock,
    own_uid: u32,
    known: Mutex<HashMap<u32, (Person, BootMs)>>,
    room: Arc<Semaphore>,
}

impl People {
    pub(super) fn new(groups: RoleGroups, lookup: Lookup, clock: Clock) -> Self {
        let names = groups.names().into_iter().map(str::to_owned).collect();
        let own_uid = nix::unistd::geteuid().as_raw();
        let (known, room) = (Mutex::default(), Arc::new(Semaphore::new(LOOKUPS_MAX)));
        Self(Arc::new(Inner { groups, names, lookup, clock, own_uid, known, room }))
    }

    pub(super) fn groups(&self) -> &RoleGroups {
        &self.0.groups
    }

    /// The peer with this number.
    pub(super) async fn caller(&self, uid: u32) -> Caller {
        let found = match self.0.known(uid, FRESH_MS) {
            Some(person) => Ok(person),
            None => self.ask(uid).await.or_else(|why| self.0.known(uid, KNOWN_MS).ok_or(why)),
        };
        let (person, unknown) = match found {
            Ok(person) => (person, None),
            Err(why) => (Person { uid, name: None, groups: Vec::new() }, Some(why)),
        };
        let roles = self.0.roles(&person);
        let name = person.name.unwrap_or_else(|| "?".to_owned());
        Caller { by: By::Person { name, uid: person.uid }, roles, unknown }
    }

    async fn ask(&self, uid: u32) -> Result<Person, String> {
        let inner = Arc::clone(&self.0);
        let work = async move {
            let room = Arc::clone(&inner.room).acquire_owned().await.map_err(|error| error.to_string())?;
            let looked = tokio::task::spawn_blocking(move || {
                let found = (inner.lookup.0)(uid, &inner.names);
                // Also when nobody waits any more: the next question finds it.
                if let Ok(person) = &found {
                    inner.remember(uid, person.clone());
                }
                drop(room);
                found
            });
            looked.await.map_err(|error| error.to_string())?
        };
        let late = |_| format!("the name service didn't answer within {} s", LOOKUP_TIMEOUT.as_secs());
        tokio::time::timeout(LOOKUP_TIMEOUT, work).await.map_err(late)?
    }
}

impl Inner {
    fn known(&self, uid: u32, age_ms_max: i64) -> Option<Person> {
        let now = self.clock.boot();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&uid).filter(|(_, at)| now.ms_since(*at) <= age_ms_max).map(|(person, _)| person.clone())
    }

    fn remember(&self, uid: u32, person: Person) {
        let now = self.clock.boot();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, (person, now));
    }

    /// Root and the daemon's own user could read the database anyway; without groups the socket's mode is all there is.
    fn roles(&self, person: &Person) -> Roles {
        if self.groups.is_empty() || person.uid == 0 || person.uid == self.own_uid {
            return Roles::admin();
        }
        self.groups.roles_of(&person.groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payout_shared::roles::{Action, Role};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    const SOMEBODY: u32 = 4_000_000_001;

    fn ops() -> RoleGroups {
        RoleGroups::new([(Role::Operator, "ops".to_owned())].into())
    }

    fn in_ops(uid: u32, _: &[String]) -> Result<Person, String> {
        Ok(Person { uid, name: Some("ann".to_owned()), groups: vec!["ops".to_owned()] })
    }

    #[test]
    fn the_system_knows_root_and_says_nothing_of_a_number_without_a_name() {
        let root = system(0, &["root".to_owned(), "no-such-group-here".to_owned()]).unwrap();
        assert_eq!((root.name.as_deref(), root.groups), (Some("root"), vec!["root".to_owned()]));
        assert_eq!(system(SOMEBODY, &[]).unwrap(), Person { uid: SOMEBODY, name: None, groups: Vec::new() });
    }

    #[tokio::test]
    async fn without_groups_everybody_the_socket_lets_in_is_admin() {
        let nobody = Lookup::by(|_, _| Err("down".to_owned()));
        let people = People::new(RoleGroups::default(), nobody, Clock::manual(0).0);
        let caller = people.caller(SOMEBODY).await;
        assert_eq!((caller.roles.to_string().as_str(), caller.you().as_str()), ("admin", "?(4000000001)"));
    }

    #[tokio::test]
    async fn root_and_the_daemons_own_user_are_admin_whatever_the_name_service_says() {
        let people = People::new(ops(), Lookup::by(|_, _| Err("down".to_owned())), Clock::manual(0).0);
        for uid in [0, nix::unistd::geteuid().as_raw()] {
            assert_eq!(people.caller(uid).await.roles, Roles::admin());
        }
        let stranger = people.caller(SOMEBODY).await;
        assert_eq!((stranger.roles, stranger.unknown.as_deref()), (Roles::default(), Some("down")));
    }

    #[tokio::test]
    async fn groups_are_looked_up_again_and_outlive_a_name_service_for_ten_minutes() {
        static DOWN: AtomicBool = AtomicBool::new(false);
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let (clock, hand) = Clock::manual(0);
        let lookup = Lookup::by(|uid, wanted| {
            ASKED.fetch_add(1, Ordering::SeqCst);
            if DOWN.load(Ordering::SeqCst) { Err("down".to_owned()) } else { in_ops(uid, wanted) }
        });
        let people = People::new(ops(), lookup, clock);
        for _ in 0..3 {
            assert!(people.caller(SOMEBODY).await.roles.allow(Action::Pause));
        }
        assert_eq!(ASKED.load(Ordering::SeqCst), 1);
        DOWN.store(true, Ordering::SeqCst);
        hand.advance(KNOWN_MS);
        assert!(people.caller(SOMEBODY).await.roles.allow(Action::Pause));
        assert_eq!(ASKED.load(Ordering::SeqCst), 2);
        hand.advance(1);
        assert!(!people.caller(SOMEBODY).await.roles.allow(Action::Read));
    }

    #[tokio::test]
    async fn a_group_taken_away_counts_after_half_a_minute() {
        static IN: AtomicBool = AtomicBool::new(true);
        let (clock, hand) = Clock::manual(0);
        let lookup = Lookup::by(|uid, wanted| {
            let person = in_ops(uid, wanted)?;
            Ok(if IN.load(Ordering::SeqCst) { person } else { Person { groups: Vec::new(), ..person } })
        });
        let people = People::new(ops(), lookup, clock);
        assert!(people.caller(SOMEBODY).await.roles.allow(Action::Pause));
        IN.store(false, Ordering::SeqCst);
        hand.advance(FRESH_MS + 1);
        let caller = people.caller(SOMEBODY).await;
        assert_eq!((caller.roles, caller.unknown), (Roles::default(), None));
    }
}
