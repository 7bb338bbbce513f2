//! Who may do what: five roles, given by groups of the system. The daemon decides with this, the console mirrors it.
//!
//! Several groups add up: whoever is in two of them may do what either may. Nobody approves by being an operator, so that a run and
//! its approval need two roles.
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Helps creators: looks, sees a creator whole, holds and releases.
    Support,
    /// Runs payouts: all that, and starts, pauses, resumes, arms, imports, opens cohorts.
    Operator,
    /// The second person: looks, and approves.
    Approver,
    /// Everything.
    Admin,
}

/// What somebody does, as far as roles tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Status, runs, payouts, dry runs, schedule, books.
    Read,
    /// One creator whole: account, bank account, holds, balances.
    CreatorDetails,
    /// Placing and releasing holds.
    Hold,
    /// Asking for a run.
    Start,
    /// Stopping money.
    Pause,
    /// Taking a pause back.
    Resume,
    /// Arming and disarming the schedule.
    Arm,
    /// Importing earnings.
    Import,
    /// Retrying, resolving, adopting and taking back payouts; which account of a creator is paid.
    Correct,
    /// Cohorts and tags: who a rollout pays.
    Rollout,
    /// Letting a rollout go on although its gate isn't passed.
    OverrideGate,
    /// Saying yes to what another person asked for.
    Approve,
    /// Setting what everybody is paid by.
    SetPolicy,
    /// Asking two people for an adjustment or an override.
    Ask,
}

impl Role {
    /// All of them, from the least on.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Support, Self::Operator, Self::Approver, Self::Admin];

    /// The word used in the configuration and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Support => "support",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// Reads what [`Role::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Read,
        Self::CreatorDetails,
        Self::Hold,
        Self::Start,
        Self::Pause,
        Self::Resume,
        Self::Arm,
        Self::Import,
        Self::Correct,
        Self::Rollout,
        Self::OverrideGate,
        Self::Approve,
        Self::SetPolicy,
        Self::Ask,
    ];

    /// For people, after "to".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Read => "look at anything",
            Self::CreatorDetails => "see a creator's details",
            Self::Hold => "hold or release a creator",
            Self::Start => "start a run",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Arm => "arm or disarm the schedule",
            Self::Import => "import earnings",
            Self::Correct => "retry, resolve, adopt or take back payouts, or change an account",
            Self::Rollout => "change cohorts and tags",
            Self::OverrideGate => "open a cohort past its gate",
            Self::Approve => "approve",
            Self::SetPolicy => "set a policy",
            Self::Ask => "ask for an adjustment or an override",
        }
    }
}

/// May this role do that?
#[must_use]
pub const fn allows(role: Role, action: Action) -> bool {
    match role {
        Role::Viewer => match action {
            Action::Read => true,
            Action::CreatorDetails
            | Action::Hold
            | Action::Start
            | Action::Pause
            | Action::Resume
            | Action::Arm
            | Action::Import
            | Action::Correct
            | Action::Rollout
            | Action::OverrideGate
            | Action::Approve
            | Action::SetPolicy
            | Action::Ask => false,
        },
        Role::Support => match action {
            Action::Read | Action::CreatorDetails | Action::Hold => true,
            Action::Start
            | Action::Pause
            | Action::Resume
            | Action::Arm
            | Action::Import
            | Action::Correct
            | Action::Rollout
            | Action::OverrideGate
            | Action::Approve
            | Action::SetPolicy
            | Action::Ask => false,
        },
        Role::Operator => match action {
            Action::Read
            | Action::CreatorDetails
            | Action::Hold
            | Action::Start
            | Action::Pause
            | Action::Resume
            | Action::Arm
            | Action::Import
            | Action::Correct
            | Action::Rollout
            | Action::Ask => true,
            Action::OverrideGate | Action::Approve | Action::SetPolicy => false,
        },
        Role::Approver => match action {
            Action::Read | Action::Approve => true,
            Action::CreatorDetails
            | Action::Hold
            | Action::Start
            | Action::Pause
            | Action::Resume
            | Action::Arm
            | Action::Import
            | Action::Correct
            | Action::Rollout
            | Action::OverrideGate
            | Action::SetPolicy
            | Action::Ask => false,
        },
        // Everything there is: whoever adds an action says what it is for each of the others.
        Role::Admin => true,
    }
}

/// What one person is; may be nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// Everything.
    #[must_use]
    pub fn admin() -> Self {
        Self::from_iter([Role::Admin])
    }

    /// May whoever has these roles do that?
    #[must_use]
    pub fn allow(&self, action: Action) -> bool {
        self.0.iter().any(|role| allows(*role, action))
    }

    /// Reads what `Display` wrote; `None` for a word that isn't a role, and for no role at all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.split('+').map(Role::parse).collect::<Option<BTreeSet<_>>>().map(Self)
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

/// `operator`, or `operator+approver`: what another one of them includes isn't said. Nothing for no role.
impl std::fmt::Display for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let includes = |more: Role, less: Role| {
            more != less && Action::ALL.into_iter().all(|action| allows(more, action) || !allows(less, action))
        };
        let said = self.0.iter().filter(|role| !self.0.iter().any(|other| includes(*other, **role)));
        let words: Vec<&str> = said.map(|role| role.as_str()).collect();
        f.write_str(&words.join("+"))
    }
}

/// Which group of the system gives which role. Empty: roles aren't in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleGroups(BTreeMap<Role, String>);

impl RoleGroups {
    /// One group for each role that is named.
    #[must_use]
    pub const fn new(groups: BTreeMap<Role, String>) -> Self {
        Self(groups)
    }

    /// No group is named: whoever gets through the socket may do everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The groups that matter, each once.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.0.values().map(String::as_str).collect()
    }

    /// What somebody in these groups is.
    #[must_use]
    pub fn roles_of(&self, groups: &[String]) -> Roles {
        self.0.iter().filter(|(_, group)| groups.contains(group)).map(|(role, _)| *role).collect()
    }

    /// Why this person may not do that: the roles that would do, and the groups that give them.
    #[must_use]
    pub fn refusal(&self, person: &str, roles: &Roles, action: Action) -> String {
        let enough: Vec<Role> = Role::ALL.into_iter().filter(|role| allows(*role, action)).collect();
        let words: Vec<&str> = enough.iter().map(|role| role.as_str()).collect();
        let given: Vec<String> = enough
            .iter()
            .filter_map(|role| Some(format!("group {} gives {}", self.0.get(role)?, role.as_str())))
            .collect();
        let groups = if given.is_empty() {
            "no group gives it: only root and the daemon's own user may".to_owned()
        } else {
            given.join(", ")
        };
        let is = if roles.0.is_empty() { "has no role".to_owned() } else { format!("is {roles}") };
        format!("{person} {is}; to {} the role {} is needed ({groups})", action.words(), words.join(" or "))
    }
}
