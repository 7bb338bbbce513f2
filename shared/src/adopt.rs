//! Adopting: a payout that somebody made at Stripe past this program is taken into the books, so that what it paid is never paid again.
//!
//! Every entry that is payable now is locked by it; a pair of carries makes their sum what was paid: −d is locked with them, +d is free.
//! Paid more than was payable: d < 0, and the free part is a debt. Invariant: Σ of what is locked = what was paid.
use crate::{
    money::Money,
    payout::{ObjectStatus, PayoutState},
};

/// What is known of the object and of its purse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptFacts {
    /// Stripe's id of it.
    pub object: String,
    /// What it moves; below 0 it brings money back to Stripe.
    pub amount: Money,
    /// Stripe's word for where it is; `None` for one that we don't know.
    pub status: Option<ObjectStatus>,
    /// It was made before this database was there.
    pub is_older: bool,
    /// The payout of ours that it is, or that it was executed for late.
    pub ours: Option<String>,
    /// The purse's active payout.
    pub active: Option<ActivePayout>,
}

/// A payout of ours that is on its way in the same purse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivePayout {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: PayoutState,
    /// A send of it may have been executed.
    pub in_doubt: bool,
}

/// May it be adopted? Gives the planned payout that is voided for it.
///
/// # Errors
/// One sentence: why not, and what to do.
pub fn adopt(facts: &AdoptFacts) -> Result<Option<&ActivePayout>, String> {
    let object = &facts.object;
    if let Some(ours) = &facts.ours {
        return Err(format!("{object} is payout {ours}: it is in the books already"));
    }
    if facts.amount.minor <= 0 {
        return Err(format!(
            "{object} ({}) took nothing out of the purse: it is a debit of Stripe's own or takes another payout back, and bars nothing",
            facts.amount
        ));
    }
    if facts.is_older {
        return Err(format!(
            "{object} was made before this database was there: it bars nothing, there is nothing to adopt"
        ));
    }
    if let Some(status) = facts.status.filter(|status| !status.is_alive()) {
        return Err(format!("{object} is {}: its money stays on the account, it bars nothing", status.as_str()));
    }
    let Some(active) = &facts.active else { return Ok(None) };
    let what = match active.state {
        PayoutState::Planned if !active.in_doubt => return Ok(Some(active)),
        PayoutState::Planned | PayoutState::Submitting | PayoutState::Unknown => "may have been sent",
        PayoutState::Pending
        | PayoutState::InTransit
        | PayoutState::Paid
        | PayoutState::Settled
        | PayoutState::Voided
        | PayoutState::Failed
        | PayoutState::Canceled
        | PayoutState::Returned
        | PayoutState::Reversing
        | PayoutState::Reversed => "is on its way",
    };
    let state = active.state.as_str().replace('_', " ");
    Err(format!(
        "payout {} of the same purse {what} ({state}): {object} is adopted after that one has ended; payout show {} says where it is",
        active.id, active.id
    ))
}

/// What of the payable sum stays free: below 0, more was paid than was payable, and it is a debt. `None`: it doesn't fit.
#[must_use]
pub const fn carried(payable_minor: i64, paid_minor: i64) -> Option<i64> {
    payable_minor.checked_sub(paid_minor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::currency::Currency;

    fn facts() -> AdoptFacts {
        AdoptFacts {
            object: "po_1".to_owned(),
            amount: Money::new(700, Currency::parse("usd").unwrap()),
            status: Some(ObjectStatus::Paid),
            is_older: false,
            ours: None,
            active: None,
        }
    }

    #[test]
    fn what_left_the_purse_is_adopted_and_what_bars_nothing_is_refused() {
        for status in [None, Some(ObjectStatus::Pending), Some(ObjectStatus::InTransit), Some(ObjectStatus::Paid)] {
            assert_eq!(adopt(&AdoptFacts { status, ..facts() }), Ok(None));
        }
        let amount = |minor| Money::new(minor, facts().amount.currency);
        for (refused, why) in [
            (AdoptFacts { status: Some(ObjectStatus::Failed), ..facts() }, "failed"),
            (AdoptFacts { status: Some(ObjectStatus::Canceled), ..facts() }, "canceled"),
            (AdoptFacts { amount: amount(-700), ..facts() }, "took nothing"),
            (AdoptFacts { amount: amount(0), ..facts() }, "took nothing"),
            (AdoptFacts { is_older: true, ..facts() }, "before this database"),
            (AdoptFacts { ours: Some("pay_1".to_owned()), ..facts() }, "pay_1"),
        ] {
            let said = adopt(&refused).unwrap_err();
            assert!(said.contains(why) && said.contains("po_1"), "{said}");
        }
    }

    #[test]
    fn only_a_planned_payout_gives_way() {
        for state in PayoutState::ALL {
            for in_doubt in [false, true] {
                let active = ActivePayout { id: "pay_1".to_owned(), state, in_doubt };
                let facts = AdoptFacts { active: Some(active), ..facts() };
                let may = state == PayoutState::Planned && !in_doubt;
                assert_eq!(adopt(&facts).is_ok(), may, "{state:?} {in_doubt}");
            }
        }
    }

    #[test]
    fn what_is_locked_and_what_is_carried_is_what_was_payable() {
        assert_eq!(carried(3_000, 700), Some(2_300));
        assert_eq!(carried(500, 700), Some(-200));
        assert_eq!(carried(0, 700), Some(-700));
        assert_eq!(carried(-300, 700), Some(-1_000));
        assert_eq!(carried(i64::MIN, 1), None);
    }
}
