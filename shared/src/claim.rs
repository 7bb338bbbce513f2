//! A person says which Stripe payout an unknown one became. What that object must be before it is believed.
use crate::{
    answer::{Asked, PayoutObject},
    payout::ObjectStatus,
};

/// How the object is told to be the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It carries our key.
    ByKey(ObjectStatus),
    /// It carries no key of ours, and its account, amount, currency and bank account are those that were asked for.
    ByAmount(ObjectStatus),
}

impl Claim {
    /// Where the object stands.
    #[must_use]
    pub const fn status(self) -> ObjectStatus {
        match self {
            Self::ByKey(status) | Self::ByAmount(status) => status,
        }
    }
}

/// Stripe's clock and the time that we stored with a send may be so far apart, seconds.
const CLOCKS_APART_S: i64 = 60;

/// Judges the object that a person named. `first_sent_ms`: Stripe's time of the first send, Unix milliseconds.
///
/// # Errors
/// One sentence: why it can't be this payout.
pub fn claim(asked: &Asked, first_sent_ms: i64, object: &PayoutObject) -> Result<Claim, String> {
    let id = &object.id;
    if object.account != asked.account {
        return Err(format!("{id} is on account {}, this payout on {}", object.account, asked.account));
    }
    if object.mode != asked.mode {
        return Err(format!("{id} is a {} payout, this one is {}", object.mode.as_str(), asked.mode.as_str()));
    }
    if object.amount_minor != asked.amount_minor || object.currency != asked.currency {
        return Err(format!(
            "{id} is of {} {} (minor units), this payout of {} {}",
            object.amount_minor, object.currency, asked.amount_minor, asked.currency
        ));
    }
    let Some(status) = object.status else {
        return Err(format!("{id} is in a state that this program doesn't know: nothing is made of it"));
    };
    match &object.key {
        Some(key) if *key == asked.key => return Ok(Claim::ByKey(status)),
        Some(key) if !key.is_empty() => return Err(format!("{id} carries the key of another payout: {key}")),
        Some(_) | None => {}
    }
    if object.automatic {
        return Err(format!("{id} was made by Stripe's own schedule"));
    }
    if object.destination.as_ref() != Some(&asked.destination) {
        let there =
            object.destination.as_ref().map_or_else(|| "none that Stripe shows".to_owned(), ToString::to_string);
        return Err(format!("{id} carries no key, and its bank account is {there}, not {}", asked.destination));
    }
    if object.created_s < first_sent_ms.div_euclid(1_000).saturating_sub(CLOCKS_APART_S) {
        return Err(format!("{id} carries no key and is older than the first request for this payout"));
    }
    Ok(Claim::ByAmount(status))
}
