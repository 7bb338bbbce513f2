//! What the payouts screen asks the daemon for: `state=failed cause=x creator=y acct=z amt>100 text`.
use payout_proto::v1;
use payout_shared::payout::PayoutState;

/// States that `f` shows: what went wrong, or may have.
pub const FAILURE_STATES: [PayoutState; 4] =
    [PayoutState::Failed, PayoutState::Returned, PayoutState::Unknown, PayoutState::Canceled];

/// A filter as typed and as understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// As typed.
    pub text: String,
    pub states: Vec<PayoutState>,
    pub cause: String,
    pub creator: String,
    pub account: String,
    /// Minor units, of any currency; 0 = any.
    pub amount_min_minor: i64,
    /// A part of a payout, creator or account id.
    pub part: String,
}

/// What can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Changed,
    Amount,
}

impl Sort {
    /// The daemon's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Amount => "amount",
        }
    }

    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Changed => Self::Amount,
            Self::Amount => Self::Changed,
        }
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// A sentence: which word isn't understood, and what would be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self { text: text.trim().to_owned(), ..Self::default() };
        for word in text.split_whitespace() {
            if let Some(rest) = word.strip_prefix("amt>") {
                filter.amount_min_minor = minimum(rest)?;
                continue;
            }
            match word.split_once('=') {
                Some(("state", names)) => filter.states = states(names)?,
                Some(("cause", value)) => value.clone_into(&mut filter.cause),
                Some(("creator", value)) => value.clone_into(&mut filter.creator),
                Some(("acct" | "account", value)) => value.clone_into(&mut filter.account),
                Some((name, _)) => {
                    return Err(format!(
                        "{name}= isn't a filter: state= cause= creator= acct= amt> or a part of an id"
                    ));
                }
                None if filter.part.is_empty() => word.clone_into(&mut filter.part),
                None => return Err(format!("one part of an id only: {:?} and {word:?}", filter.part)),
            }
        }
        Ok(filter)
    }

    /// The rows of one cause.
    #[must_use]
    pub fn of_cause(cause: &str, state: &str) -> Self {
        let states: Vec<PayoutState> = PayoutState::parse(state).into_iter().collect();
        let mut text = format!("cause={cause}");
        if let Some(state) = states.first() {
            text = format!("state={} {text}", state.as_str());
        }
        Self { text, states, cause: cause.to_owned(), ..Self::default() }
    }

    /// True when every row passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts the filter into a request.
    pub fn fill(&self, request: &mut v1::ListPayoutsRequest, failures_only: bool) {
        let states: &[PayoutState] =
            if self.states.is_empty() && failures_only { &FAILURE_STATES } else { &self.states };
        request.states = states.iter().map(|state| state.as_str().to_owned()).collect();
        request.cause.clone_from(&self.cause);
        request.creator_id.clone_from(&self.creator);
        request.account_id.clone_from(&self.account);
        request.amount_min_minor = self.amount_min_minor;
        request.text.clone_from(&self.part);
    }
}

fn states(names: &str) -> Result<Vec<PayoutState>, String> {
    names
        .split(',')
        .map(|name| {
            PayoutState::parse(name).ok_or_else(|| {
                let known: Vec<&str> = PayoutState::ALL.iter().map(|state| state.as_str()).collect();
                format!("{name:?} isn't a state: {}", known.join(" "))
            })
        })
        .collect()
}

/// Hundredths, as most currencies have them: `100` and `100.00` are 10000 minor units. More than that is wanted: `>`, not `>=`.
fn minimum(text: &str) -> Result<i64, String> {
    let (at_least, digits) = text.strip_prefix('=').map_or((false, text), |rest| (true, rest));
    let (whole, hundredths) = digits.split_once('.').unwrap_or((digits, ""));
    let wrong = || format!("amt>{text} isn't an amount: amt>100 or amt>=99.50");
    if whole.is_empty() || hundredths.len() > 2 || !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(wrong());
    }
    let minor = format!("{whole}{hundredths:0<2}").parse::<i64>().map_err(|_| wrong())?;
    Ok(minor.saturating_add(i64::from(!at_least)))
}
