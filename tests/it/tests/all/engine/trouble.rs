//! What a test lets go wrong between the engine and Stripe.
use payout_shared::answer::Sent;
use stripe_twin::FaultPlan;

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
    /// Stripe refuses it with this answer, unless it has executed it already.
    Refused(Box<Sent>),
    /// On the wire and not yet with the twin, until the test lets go.
    HeldBefore,
    /// Executed, its answer on the wire until the test lets go.
    HeldAfter,
    /// The process freezes for so long between its decision and the write.
    Frozen(i64),
    /// It arrives at Stripe twice, as a network may repeat it; the first answer is the one that is heard.
    Twice,
    /// It is refused by a limit, and a copy of it that the network made is executed; nobody hears of that.
    LimitedThenCopied,
}

impl Trouble {
    /// The twin's faults while it answers: those that are usual there, and this.
    pub(super) fn plan(&self, usual: &FaultPlan) -> FaultPlan {
        let more = match self {
            Self::Twin(name) => format!("{name}=100x1000"),
            Self::Limited => "429-storm=100".to_owned(),
            Self::BadKey
            | Self::Instead(_)
            | Self::Refused(_)
            | Self::HeldBefore
            | Self::HeldAfter
            | Self::Frozen(_)
            | Self::Twice
            | Self::LimitedThenCopied => "none".to_owned(),
        };
        let known = usual.by_name().into_iter().map(|(name, odds)| {
            let (whole, tenths) = (odds.per_mille / 10, odds.per_mille % 10);
            format!("{name}={whole}.{tenths}x{}@{},", odds.per_key_max, odds.delay_ms)
        });
        format!("{}{more}", known.collect::<String>()).parse().unwrap()
    }
}

/// Whom it meets, and how often.
pub(super) struct Rule {
    /// Requests that pass before it.
    pub(super) after: usize,
    pub(super) account: Option<String>,
    pub(super) left: usize,
    pub(super) trouble: Trouble,
}
