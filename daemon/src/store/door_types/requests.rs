//! What needs two people.
use payout_shared::approval::{RequestKind, RequestState};

/// Something to be asked for.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// What kind of thing.
    pub kind: RequestKind,
    /// The run or the creator that it is about.
    pub subject: String,
    /// Exactly what, as people and the hash see it.
    pub detail: serde_json::Value,
    /// Who asks, as the journal writes it.
    pub by: String,
    /// Their number; `None` for a schedule: then two others are needed.
    pub uid: Option<u32>,
    /// Why.
    pub reason: String,
}

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yes {
    /// Their number.
    pub uid: u32,
    /// Who, as the journal writes it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, Unix milliseconds.
    pub at_ms: i64,
}

/// A request, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Its id.
    pub id: String,
    /// What kind of thing.
    pub kind: RequestKind,
    /// The run or the creator that it is about.
    pub subject: String,
    /// Exactly what, as JSON.
    pub detail: String,
    /// Of what is asked: who approves says it again.
    pub hash: String,
    /// Who asked.
    pub requested_by: String,
    /// Their number; `None` for a schedule.
    pub requested_uid: Option<u32>,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub state: RequestState,
    /// When it was asked, Unix milliseconds.
    pub created_at_ms: i64,
    /// When it was decided.
    pub decided_at_ms: Option<i64>,
    /// By whom, in the end.
    pub decided_by: Option<String>,
    /// Why.
    pub decided_why: Option<String>,
    /// Who agreed so far, in order.
    pub approvals: Vec<Yes>,
}

/// What became of a yes or a no.
#[derive(Clone, Debug)]
pub struct Approved {
    /// The request as it is then.
    pub request: RequestRow,
    /// The journal's number of it.
    pub seq: i64,
}
