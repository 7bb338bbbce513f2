//! Cohorts: named sets of creators that a rollout opens one after another; who is in, and what keeps the others out.
//!
//! Without any cohort everybody is in. Invariant: the same creator is in the same percentage on every machine, and a larger
//! percentage only adds creators.
pub mod gate;
pub mod sample;

use crate::id::CreatorId;
use serde::{Deserialize, Serialize};
use sha2::Digest;

/// Creators fall into so many buckets; a share of them takes the lowest ones. One bucket is 0.01 %.
pub const BUCKETS: u32 = 10_000;
/// A name of more characters is a sentence.
const NAME_CHARS_MAX: usize = 64;

/// The bucket of a creator, 0 to 9,999: the first four bytes of SHA-256 over `cohort:` and the id, as a number, modulo
/// [`BUCKETS`]. PostgreSQL computes the same (`cohort_bucket`), so it can never be changed.
#[must_use]
pub fn bucket(creator: &CreatorId) -> u32 {
    let hash = sha2::Sha256::new().chain_update("cohort:").chain_update(creator.as_str()).finalize();
    let first = hash.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    first.checked_rem(BUCKETS).unwrap_or(0)
}

/// A share of all creators, more than nothing and at most all, in steps of 0.01 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// Of basis points, 1 to 10,000.
    #[must_use]
    pub fn of_bp(bp: i64) -> Option<Self> {
        u32::try_from(bp).ok().filter(|bp| (1..=BUCKETS).contains(bp)).map(Self)
    }

    /// Reads a percentage with at most two decimals: `5`, `12.5`, `0.25`, `100`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 2 {
            return None;
        }
        let part = format!("{part:0<2}").parse::<i64>().ok()?;
        Self::of_bp(whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(part)?)
    }

    /// Basis points.
    #[must_use]
    pub fn bp(self) -> i64 {
        i64::from(self.0)
    }

    /// Everybody.
    #[must_use]
    pub const fn is_all(self) -> bool {
        self.0 == BUCKETS
    }

    /// Is the creator in it?
    #[must_use]
    pub fn takes(self, creator: &CreatorId) -> bool {
        bucket(creator) < self.0
    }
}

/// `12.5 %`
impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.0.checked_div(100).unwrap_or(0), self.0.checked_rem(100).unwrap_or(0));
        match (part, part.checked_rem(10).unwrap_or(0)) {
            (0, _) => write!(f, "{whole} %"),
            (_, 0) => write!(f, "{whole}.{} %", part.checked_div(10).unwrap_or(0)),
            _ => write!(f, "{whole}.{part:02} %"),
        }
    }
}

/// How a cohort says who is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CohortKind {
    /// Creators named one by one.
    List,
    /// Every creator with a tag, as tags are at that moment.
    Tag,
    /// A share of all creators.
    Percent,
}

impl CohortKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::List, Self::Tag, Self::Percent];

    /// The word used in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Tag => "tag",
            Self::Percent => "percent",
        }
    }

    /// Reads what [`CohortKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A text that is no name of a cohort or tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no {1}: small letters, digits, '-', '_' and '.', beginning with a letter or digit, at most 64")]
pub struct BadName(String, &'static str);

/// Checks the name of a cohort (`what` = "name of a cohort") or a tag: it stands in commands and sentences.
///
/// # Errors
/// [`BadName`], which says what a name is.
pub fn name(text: &str, what: &'static str) -> Result<String, BadName> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_name = text.chars().next().is_some_and(plain)
        && text.chars().all(|c| plain(c) || matches!(c, '-' | '_' | '.'))
        && text.len() <= NAME_CHARS_MAX;
    if is_name { Ok(text.to_owned()) } else { Err(BadName(text.to_owned(), what)) }
}

/// What is the same for every creator: is a rollout in use, and the cohorts that are shares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Some cohort exists, open or not.
    pub in_use: bool,
    /// Every cohort that is a share, with its name, and whether it is open.
    pub shares: Vec<(String, Share, bool)>,
}

/// Cohorts that contain one creator by name (list or tag), as far as they matter: one that is open, one that isn't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// An open one.
    pub open: Option<String>,
    /// One that isn't.
    pub closed: Option<String>,
}

/// Where a creator stands in the rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// No cohort exists: everybody is in.
    NotInUse,
    /// In this open one.
    In(String),
    /// In none that is open; the one that would let them in when it is opened, if there is one: named ones before shares,
    /// the smallest share first.
    Out(Option<String>),
}

impl Place {
    /// May be paid, as far as the rollout goes.
    #[must_use]
    pub const fn is_in(&self) -> bool {
        match self {
            Self::NotInUse | Self::In(_) => true,
            Self::Out(_) => false,
        }
    }

    /// One sentence for people; `None` when they are in.
    #[must_use]
    pub fn why_out(&self) -> Option<String> {
        match self {
            Self::NotInUse | Self::In(_) => None,
            Self::Out(Some(name)) => {
                Some(format!("the rollout hasn't come to this creator yet: they are in when cohort {name} is opened"))
            }
            Self::Out(None) => Some(
                "the rollout hasn't come to this creator yet: no cohort has them; one has to be made and opened"
                    .to_owned(),
            ),
        }
    }
}

/// Where this creator stands.
#[must_use]
pub fn place(rollout: &Rollout, creator: &CreatorId, named: &Named) -> Place {
    if !rollout.in_use {
        return Place::NotInUse;
    }
    if let Some(name) = &named.open {
        return Place::In(name.clone());
    }
    let theirs: Vec<_> = rollout.shares.iter().filter(|(_, share, _)| share.takes(creator)).collect();
    let smallest = |is_open: bool| {
        let of = theirs.iter().filter(|(.., open)| *open == is_open);
        of.min_by_key(|(name, share, _)| (*share, name.clone())).map(|(name, ..)| name.clone())
    };
    match smallest(true) {
        Some(name) => Place::In(name),
        None => Place::Out(named.closed.clone().or_else(|| smallest(false))),
    }
}
