//! The first cohort, proposed: a small mix of large and small earners of many countries, the same for the same name.
//!
//! Places go round the quarters of earners, the largest first. A quarter gives its place to the country with the fewest picks so
//! far, of several to the one with the most creators left in that quarter, of these to the first by name; there, to the creator
//! whose hash with the cohort's name is the smallest. So every pick can be explained, and asking again gives the same.
use crate::{currency::Currency, id::CreatorId};
use sha2::Digest;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

/// Earners are cut into so many parts of the same size, per currency: amounts of two currencies are never compared.
pub const QUARTERS: usize = 4;

/// One purse that could be picked; a creator may have several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earner {
    /// Whose.
    pub creator: CreatorId,
    /// Of the creator's account, two letters.
    pub country: String,
    /// Of the purse.
    pub currency: Currency,
    /// Σ earned, minor units.
    pub earned_minor: i64,
}

/// One creator of the proposal, by the purse that ranks highest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Who, where, and how much.
    pub earner: Earner,
    /// 1 = among the quarter of creators that earn most in this currency, 4 = least.
    pub quarter: usize,
}

/// Creators left in one quarter, by country.
type Quarter = BTreeMap<String, VecDeque<Pick>>;

/// Proposes so many creators (fewer when there are fewer), in the order in which they were picked. The order of the earners doesn't
/// matter.
#[must_use]
pub fn sample(earners: &[Earner], size: usize, cohort: &str) -> Vec<Pick> {
    let mut quarters = stratified(earners, cohort);
    let mut picked: BTreeMap<String, usize> = BTreeMap::new();
    let mut picks = Vec::with_capacity(size.min(earners.len()));
    while picks.len() < size && quarters.iter().any(|quarter| !quarter.is_empty()) {
        for quarter in &mut quarters {
            if picks.len() >= size {
                break;
            }
            if let Some(pick) = take(quarter, &picked) {
                let times = picked.entry(pick.earner.country.clone()).or_default();
                *times = times.saturating_add(1);
                picks.push(pick);
            }
        }
    }
    picks
}

fn take(quarter: &mut Quarter, picked: &BTreeMap<String, usize>) -> Option<Pick> {
    let country = quarter
        .iter()
        .min_by_key(|(country, left)| {
            (picked.get(*country).copied().unwrap_or(0), Reverse(left.len()), (*country).clone())
        })
        .map(|(country, _)| country.clone())?;
    let left = quarter.get_mut(&country)?;
    let pick = left.pop_front();
    if left.is_empty() {
        quarter.remove(&country);
    }
    pick
}

/// Every creator once, in their quarter and country, in the order of their hashes.
fn stratified(earners: &[Earner], cohort: &str) -> Vec<Quarter> {
    let mut currencies: BTreeMap<Currency, Vec<&Earner>> = BTreeMap::new();
    for earner in earners {
        currencies.entry(earner.currency).or_default().push(earner);
    }
    let mut of_creator: BTreeMap<&CreatorId, Pick> = BTreeMap::new();
    for ranked in currencies.values_mut() {
        ranked.sort_by_key(|earner| (Reverse(earner.earned_minor), &earner.creator, &earner.country));
        for (rank, earner) in ranked.iter().enumerate() {
            let quarter = rank.saturating_mul(QUARTERS).checked_div(ranked.len()).unwrap_or(0).saturating_add(1);
            let pick = Pick { earner: (*earner).clone(), quarter };
            match of_creator.get(&earner.creator) {
                Some(known) if known.quarter <= quarter => {}
                Some(_) | None => {
                    of_creator.insert(&earner.creator, pick);
                }
            }
        }
    }
    let mut hashed: Vec<([u8; 32], Pick)> =
        of_creator.into_values().map(|pick| (hash(cohort, &pick.earner.creator), pick)).collect();
    hashed.sort_by_key(|(hash, _)| *hash);
    let mut quarters = vec![Quarter::new(); QUARTERS];
    for (_, pick) in hashed {
        if let Some(quarter) = quarters.get_mut(pick.quarter.saturating_sub(1)) {
            quarter.entry(pick.earner.country.clone()).or_default().push_back(pick);
        }
    }
    quarters
}

fn hash(cohort: &str, creator: &CreatorId) -> [u8; 32] {
    sha2::Sha256::new().chain_update(cohort).chain_update([0]).chain_update(creator.as_str()).finalize().into()
}
