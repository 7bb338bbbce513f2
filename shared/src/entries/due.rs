//! What is missing of a charge's entries, given its facts: refunds, fee refunds, disputes, reserves.
use super::{Booked, Entry, Fact, FactKind, Sale, TooMuch, free_id, share, single};
use crate::{earning::EarningKind, entries::DisputeState};

/// The kinds that are reckoned for a charge as a whole.
const WHOLES: [EarningKind; 4] =
    [EarningKind::DisputeHold, EarningKind::DisputeRelease, EarningKind::ReserveHold, EarningKind::ReserveRelease];

/// What the entries of each of [`WHOLES`] must come to.
type Wholes = [i64; 4];

/// The entries that are missing for a charge: `facts` are all that is known of it, each with "its entries were booked before"; `booked`
/// are the entries of the charge but for the sale itself.
///
/// A reserve is floor(net × basis points ÷ 10,000), held with the sale and released later; what is taken back of the sale closes its share
/// of both. A dispute holds floor(net × disputed ÷ gross), at most what wasn't taken back before it; what is taken back afterwards takes
/// the hold's place; won, the rest is released; lost, it stays. An inquiry holds nothing.
///
/// # Errors
/// [`TooMuch`]: nothing may be booked.
pub fn due(sale: &Sale, facts: &[(Fact, bool)], booked: &[Booked]) -> Result<Vec<Entry>, TooMuch> {
    if !sale.is_sure {
        return Ok(Vec::new());
    }
    let mut booked = booked.to_vec();
    let is_known = |fact: &Fact, was_booked: bool| {
        was_booked || booked.iter().any(|entry| super::is_of(entry, fact.kind.source_type(), &fact.id))
    };
    let (mut known, mut news): (Vec<&Fact>, Vec<&Fact>) = (Vec::new(), Vec::new());
    // What was told anew of a known fact is the cause of what it changes; then the sale itself; then what is new, in its order.
    let mut causes: Vec<Option<&Fact>> = Vec::new();
    for (fact, was_booked) in facts {
        if is_known(fact, *was_booked) {
            known.push(fact);
            causes.extend((!was_booked).then_some(Some(fact)));
        } else {
            news.push(fact);
        }
    }
    news.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
    causes.push(None);
    causes.extend(news.into_iter().map(Some));
    let mut entries = Vec::new();
    for cause in causes {
        if let Some(fact) = cause.filter(|cause| !known.iter().any(|fact| fact.id == cause.id)) {
            known.push(fact);
        }
        for entry in step(sale, &known, cause, &booked)? {
            booked.push(Booked {
                kind: entry.kind,
                source_type: entry.source_type.to_owned(),
                source_id: entry.source_id.clone(),
                amount_minor: entry.amount_minor,
            });
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// What is missing once these facts are known, the last of which is the cause; `None`: the sale itself.
fn step(sale: &Sale, known: &[&Fact], cause: Option<&Fact>, booked: &[Booked]) -> Result<Vec<Entry>, TooMuch> {
    let mut entries = Vec::new();
    for fact in known {
        entries.extend(own(sale, fact, booked)?);
    }
    let targets = wholes(sale, known).ok_or_else(|| TooMuch(sale.charge.clone()))?;
    for (kind, target) in WHOLES.into_iter().zip(targets) {
        let have: i128 =
            booked.iter().filter(|entry| entry.kind == kind).map(|entry| i128::from(entry.amount_minor)).sum();
        let missing = i128::from(target).checked_sub(have).and_then(|missing| i64::try_from(missing).ok());
        let amount_minor = missing.ok_or_else(|| TooMuch(sale.charge.clone()))?;
        if amount_minor == 0 {
            continue;
        }
        let (source_type, id) = cause
            .map_or((FactKind::Sale.source_type(), sale.charge.as_str()), |fact| (fact.kind.source_type(), &*fact.id));
        let (earned_at_ms, available_on_ms) = maturity(sale, kind);
        let source_id = free_id(booked, kind, source_type, id);
        entries.push(Entry {
            kind,
            source_type,
            source_id,
            amount_minor,
            earned_at_ms,
            available_on_ms,
            is_estimated: false,
        });
    }
    Ok(entries)
}

/// A part of what was transferred, in the charge's currency. Where the platform converts, it is told in the transfer's.
fn of_moved(sale: &Sale, fact: &Fact) -> i64 {
    let other = sale.transferred.filter(|whole| fact.currency != sale.charged && fact.currency == whole.currency);
    other.map_or(fact.amount_minor, |whole| share(sale.moved_minor, fact.amount_minor, whole.minor))
}

/// What is missing of the one entry that a fact has for itself. What of a converted sale was taken or given back is an estimate until the
/// account's balance has said what it came to; a fact that names no movement of that balance is as sure as it ever gets.
fn own(sale: &Sale, fact: &Fact, booked: &[Booked]) -> Result<Option<Entry>, TooMuch> {
    let is_converted = sale.converts(fact);
    let moved = || {
        let told = if is_converted {
            share(sale.arrived_minor, of_moved(sale, fact), sale.moved_minor)
        } else {
            fact.amount_minor
        };
        i128::from(fact.settled_minor.unwrap_or(told))
    };
    let is_estimated = is_converted && fact.settled_minor.is_none() && fact.balance_source.is_some();
    let marked = |entry: Option<Entry>| entry.map(|entry| Entry { is_estimated, ..entry });
    match fact.kind {
        FactKind::Reversal => {
            let target = moved().checked_neg().ok_or_else(|| TooMuch(fact.id.clone()))?;
            single(fact, EarningKind::Refund, target, booked, fact.at_ms).map(marked)
        }
        FactKind::FeeRefund => {
            single(fact, EarningKind::FeeRefund, moved(), booked, fact.at_ms.max(sale.available_on_ms)).map(marked)
        }
        FactKind::Dispute if fact.dispute() == DisputeState::Lost => Ok(lost(fact, booked)),
        FactKind::Dispute | FactKind::Sale | FactKind::Refund | FactKind::Debit => Ok(None),
    }
}

/// The marker of a dispute that is lost: 0, once.
fn lost(fact: &Fact, booked: &[Booked]) -> Option<Entry> {
    let kind = EarningKind::DisputeLost;
    let source_type = fact.kind.source_type();
    let is_there = booked.iter().any(|entry| entry.kind == kind && super::is_of(entry, source_type, &fact.id));
    (!is_there).then(|| Entry {
        kind,
        source_type,
        source_id: fact.id.clone(),
        amount_minor: 0,
        earned_at_ms: fact.at_ms,
        available_on_ms: fact.at_ms,
        is_estimated: false,
    })
}

/// A closing entry matures with what it closes. A dispute's hold counts at once, so what ends it does: both are dated as the sale.
fn maturity(sale: &Sale, kind: EarningKind) -> (i64, i64) {
    match kind {
        EarningKind::ReserveHold => (sale.earned_at_ms, sale.available_on_ms),
        EarningKind::ReserveRelease => (sale.earned_at_ms, sale.release_on_ms()),
        EarningKind::DisputeHold
        | EarningKind::DisputeRelease
        | EarningKind::Sale
        | EarningKind::Refund
        | EarningKind::FeeRefund
        | EarningKind::DisputeLost
        | EarningKind::CarryOut
        | EarningKind::CarryIn
        | EarningKind::DebtRepaid
        | EarningKind::DebtWriteoff
        | EarningKind::Adjustment
        | EarningKind::Overpaid
        | EarningKind::PayoutFee => (sale.earned_at_ms, sale.earned_at_ms),
    }
}

/// What the entries of [`WHOLES`] must come to, by these facts alone.
fn wholes(sale: &Sale, known: &[&Fact]) -> Option<Wholes> {
    let net = sale.net_minor.max(0);
    let reversals: Vec<&&Fact> = known.iter().filter(|fact| fact.kind == FactKind::Reversal).collect();
    let taken = |counts: &dyn Fn(&Fact) -> bool| {
        let sum: i128 = reversals.iter().filter(|fact| counts(fact)).map(|fact| i128::from(of_moved(sale, fact))).sum();
        i64::try_from(sum).ok().map(|sum| share(net, sum, sale.moved_minor))
    };
    let mut disputes: Vec<&&Fact> = known.iter().filter(|fact| fact.kind == FactKind::Dispute).collect();
    disputes.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
    let (mut held, mut released, mut gone, mut replaced) = (0_i64, 0_i64, taken(&|_| true)?, 0_i64);
    for dispute in disputes {
        let state = dispute.dispute();
        if state == DisputeState::Inquiry {
            continue;
        }
        let left = net.checked_sub(taken(&|fact| fact.at_ms < dispute.at_ms)?)?;
        // Told in a currency that says nothing of how much of the charge it is: all of it.
        let is_told = dispute.currency == sale.charged;
        let hold = if is_told { share(net, dispute.amount_minor, sale.gross_minor) } else { net }.min(left);
        let after = taken(&|fact| fact.at_ms >= dispute.at_ms)?.checked_sub(replaced)?.clamp(0, hold);
        replaced = replaced.checked_add(after)?;
        held = held.checked_add(hold)?;
        released = released.checked_add(if state == DisputeState::Won { hold } else { after })?;
        if state == DisputeState::Lost {
            gone = gone.checked_add(hold.checked_sub(after)?)?;
        }
    }
    let reserved = sale.reserved_minor();
    let kept = reserved.checked_sub(share(reserved, gone, net))?;
    Some([held.checked_neg()?, released, kept.checked_neg()?, kept])
}
