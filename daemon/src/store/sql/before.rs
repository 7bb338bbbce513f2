//! What happened before this database was there: whoever paid creators then has paid it, or gives it to us in a file. Stripe goes on telling
//! of it (a dispute, a refund, an edit of an old charge); nothing of it is earned anew, and what is taken back of it now counts by itself.

/// The first moment that these books answer for, Unix milliseconds; Stripe tells whole seconds.
pub(super) const SINCE: &str = "(SELECT d.created_at_ms - 1000 FROM daemon_state d WHERE d.id = 1)";

/// What is taken or given back of the charge of `earning_facts f` has no sale to hang on, and won't get one: that is from before.
const OF_AN_OLD_SALE: &str = "NOT EXISTS (SELECT 1 FROM creator_earnings e WHERE e.source_type = 'charge' AND e.source_id = f.charge_id \
     AND e.kind = 'sale') AND (EXISTS (SELECT 1 FROM earning_facts s WHERE s.fact_id = f.charge_id AND s.kind = 'sale' \
     AND s.said_ms < {since}) OR EXISTS (SELECT 1 FROM transfers t WHERE t.charge_id = f.charge_id AND t.created_ms < {since}) \
     AND NOT EXISTS (SELECT 1 FROM earning_facts s WHERE s.fact_id = f.charge_id AND s.kind = 'sale'))";

/// A sale of ours: when it succeeded counts, not when it was begun.
const SALE: &str = "f.kind = 'sale' AND f.said_ms >= {since}";

/// It is booked by itself: no charge, or one from before.
const SINGLE: &str = "f.at_ms >= {since} AND (f.kind IN ('debit', 'reversal') AND f.charge_id IS NULL \
     OR f.kind IN ('reversal', 'fee_refund') AND {of_an_old_sale})";

/// It isn't booked, and waits for nothing but a file.
const LEFT: &str = "NOT f.booked AND (f.kind = 'sale' AND f.said_ms < {since} OR f.charge_id IS NULL AND f.at_ms < {since} \
     OR f.kind <> 'sale' AND {of_an_old_sale} AND (f.at_ms < {since} OR f.kind NOT IN ('reversal', 'fee_refund')))";

fn filled(text: &str) -> String {
    text.replace("{of_an_old_sale}", OF_AN_OLD_SALE).replace("{since}", SINCE)
}

/// "`earning_facts f` is a sale of ours".
pub(super) fn is_sale() -> String {
    filled(SALE)
}

/// "`earning_facts f` is booked by itself".
pub(super) fn is_single() -> String {
    filled(SINGLE)
}

/// "`earning_facts f` is from before, and left to a file".
pub(super) fn is_left() -> String {
    filled(LEFT)
}
