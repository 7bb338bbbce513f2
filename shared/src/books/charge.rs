//! One charge's entries against what Stripe told of it: they come to just what follows from the facts, and never beyond the sale.
use crate::{
    earning::EarningKind,
    entries::{self, Booked, DisputeState, Fact, FactKind, Sale, share},
};

/// What is wrong with the entries of a charge; empty when nothing is. `facts` are all that is known of it, each with "its entries are
/// booked"; `booked` are its entries but for the sale itself. While a fact waits to be booked only the bounds are judged.
#[must_use]
pub fn check_charge(sale: &Sale, facts: &[(Fact, bool)], booked: &[Booked]) -> Vec<String> {
    let charge = &sale.charge;
    if !sale.is_sure {
        let hanging = booked.len();
        return (hanging > 0)
            .then(|| format!("charge {charge}: {hanging} entries hang on its sale, whose currency isn't sure yet"))
            .into_iter()
            .collect();
    }
    let mut wrong = Vec::new();
    reserve(sale, booked, &mut wrong);
    dispute(sale, facts, booked, &mut wrong);
    if !converts(sale, facts) {
        taken_back(sale, booked, &mut wrong);
    }
    let waits = facts.iter().any(|(fact, booked)| !booked && fact.kind != FactKind::Refund);
    if !waits {
        follows(sale, facts, booked, &mut wrong);
    }
    wrong
}

/// Converted amounts follow rates of other days: there Stripe's word is all there is.
fn converts(sale: &Sale, facts: &[(Fact, bool)]) -> bool {
    let moves = |fact: &Fact| matches!(fact.kind, FactKind::Reversal | FactKind::FeeRefund);
    sale.converted || facts.iter().any(|(fact, _)| moves(fact) && sale.converts(fact))
}

/// Σ of the charge's entries of a kind.
fn sum(booked: &[Booked], kind: EarningKind) -> i128 {
    booked.iter().filter(|entry| entry.kind == kind).map(|entry| i128::from(entry.amount_minor)).sum()
}

/// What is held of a sale is released of it, to the cent, and is never more than its net.
fn reserve(sale: &Sale, booked: &[Booked], wrong: &mut Vec<String>) {
    let charge = &sale.charge;
    let held = sum(booked, EarningKind::ReserveHold).saturating_neg();
    let released = sum(booked, EarningKind::ReserveRelease);
    if held != released {
        wrong.push(format!("charge {charge}: its reserve holds {held}, but releases {released}"));
    }
    let net = i128::from(sale.net_minor.max(0));
    if held < 0 || held > net {
        wrong.push(format!("charge {charge}: its reserve holds {held} of a net of {net}"));
    }
}

/// A dispute holds at most the sale's net, and releases at most what it holds.
fn dispute(sale: &Sale, facts: &[(Fact, bool)], booked: &[Booked], wrong: &mut Vec<String>) {
    let charge = &sale.charge;
    let held = sum(booked, EarningKind::DisputeHold).saturating_neg();
    let released = sum(booked, EarningKind::DisputeRelease);
    let is_dispute = |fact: &Fact| fact.kind == FactKind::Dispute && fact.dispute() != DisputeState::Inquiry;
    let disputes = i128::try_from(facts.iter().filter(|(fact, _)| is_dispute(fact)).count()).unwrap_or(i128::MAX);
    let net = i128::from(sale.net_minor.max(0));
    let most = net.saturating_mul(disputes);
    if held < 0 || held > most {
        wrong.push(format!("charge {charge}: its {disputes} disputes hold {held} of a net of {net}"));
    }
    if released < 0 || released > held {
        wrong.push(format!("charge {charge}: its disputes hold {held}, but release {released}"));
    }
    let taken = sum(booked, EarningKind::Refund).saturating_neg();
    let Ok(left) = i64::try_from(i128::from(sale.moved_minor).saturating_sub(taken).max(0)) else { return };
    // Each part is rounded down by itself: a minor unit for each, and one for what is left.
    let parts = booked.iter().filter(|entry| entry.kind == EarningKind::Refund).count();
    let rounding = i128::try_from(parts).unwrap_or(0).saturating_add(1);
    let most = i128::from(share(sale.net_minor, left, sale.moved_minor)).saturating_add(rounding);
    if disputes == 1 && !converts(sale, facts) && held.saturating_sub(released) > most {
        let still = held.saturating_sub(released);
        wrong.push(format!(
            "charge {charge}: its dispute still holds {still}, but after refunds of {taken} at most {most} is at risk"
        ));
    }
}

/// Refunds take at most what was transferred of the charge, the platform gives back at most its own part.
fn taken_back(sale: &Sale, booked: &[Booked], wrong: &mut Vec<String>) {
    let charge = &sale.charge;
    let taken = sum(booked, EarningKind::Refund).saturating_neg();
    if taken < 0 || taken > i128::from(sale.moved_minor) {
        wrong.push(format!("charge {charge}: refunds take {taken} of it, {} were transferred", sale.moved_minor));
    }
    let given = sum(booked, EarningKind::FeeRefund);
    let fee = i128::from(sale.gross_minor).saturating_sub(i128::from(sale.net_minor));
    if given < 0 || given > fee.max(0) {
        wrong.push(format!("charge {charge}: {given} of its fee are given back, it was {fee}"));
    }
}

/// Nothing is missing and nothing is there that doesn't follow.
fn follows(sale: &Sale, facts: &[(Fact, bool)], booked: &[Booked], wrong: &mut Vec<String>) {
    let charge = &sale.charge;
    match entries::due(sale, facts, booked) {
        Ok(missing) => wrong.extend(missing.iter().map(|entry| {
            let kind = entry.kind.as_str();
            let Some(amount) = Some(entry.amount_minor).filter(|amount| *amount != 0) else {
                return format!(
                    "charge {charge}: what Stripe told of it asks for a {kind} that isn't booked ({})",
                    entry.source_id
                );
            };
            format!(
                "charge {charge}: its {kind} is {amount} away from what follows from what Stripe told ({})",
                entry.source_id
            )
        })),
        Err(too_much) => wrong.push(format!("charge {charge}: {too_much}")),
    }
}
