//! What a test lets go wrong between the engine and Stripe.
use payout_shared::answer::Sent;

/// What goes wrong with one create.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// A fault of the twin's, by its name.
    Twin(&'static str),
    /// The twin answers 429 by a limit.
    Limited,
    /// The key is refused.
    BadKey,
    /// This is the answer; the twin hears nothing of it.
    Instead(Box<Sent>),
    /// On the wire and not yet with the twin, until the test lets go.
    HeldBefore,
    /// Executed, its answer on the wire until the test lets go.
    HeldAfter,
    /// The process freezes for so long between its decision and the write.
    Frozen(i64),
    /// It arrives at Stripe twice, as a network may repeat it; the first answer is the one that is heard.
    Twice,
}

/// Whom it meets, and how often.
pub(super) struct Rule {
    /// Requests that pass before it.
    pub(super) after: usize,
    pub(super) account: Option<String>,
    pub(super) left: usize,
    pub(super) trouble: Trouble,
}
