//! Whether this machine's clock may be believed: it is held against Stripe's.
//!
//! Who comes in: the schedule and whoever arms it; the engine's gate takes its bounds from here. Whom it may call: Stripe's Date, and one small
//! read where that is missing or old.
use super::Stripe;
use crate::clock::Clock;

/// Our clock and Stripe's may differ by this much, milliseconds.
pub const CLOCKS_APART_MAX_MS: i64 = 60_000;
/// Stripe's Date must have been seen within this, milliseconds.
pub const DATE_AGE_MAX_MS: i64 = 300_000;

/// Why our clock isn't believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// One of the two is wrong.
    #[error("this machine's clock and Stripe's are more than 60 s apart")]
    Apart,
    /// Nothing was heard of Stripe lately.
    #[error("Stripe's time is not known: it has not answered for 5 minutes")]
    Unheard,
    /// Nobody can be asked.
    #[error("Stripe's time is not known: no STRIPE_SECRET_KEY is configured")]
    NoKey,
}

/// What is known now; `None` = the two clocks agree.
#[must_use]
pub fn doubt(stripe: Option<&dyn Stripe>, clock: &Clock) -> Option<Doubt> {
    let Some(stripe) = stripe else { return Some(Doubt::NoKey) };
    match stripe.time() {
        Some((stripe_ms, age_ms)) if age_ms <= DATE_AGE_MAX_MS => {
            let apart_ms = clock.now_ms().saturating_sub(stripe_ms);
            (apart_ms.saturating_abs() > CLOCKS_APART_MAX_MS).then_some(Doubt::Apart)
        }
        Some(_) | None => Some(Doubt::Unheard),
    }
}

/// The same; what is in doubt is asked about first. Whether Stripe takes the key doesn't matter: a refusal has a Date, too.
pub async fn doubt_once_asked(stripe: Option<&dyn Stripe>, clock: &Clock) -> Option<Doubt> {
    doubt(stripe, clock)?;
    if let Some(stripe) = stripe {
        let _ = stripe.platform().await;
    }
    doubt(stripe, clock)
}
