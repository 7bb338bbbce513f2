//! What goes wrong, how often, and to whom: faults by name, drawn from the seed.
//! Called by the world once per money request. Invariant: a fault strikes by (seed, fault, key, send number), so the
//! same run meets the same faults whatever the order in which its requests arrive.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{chance, mix, mix_text};

/// A fault's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The connection is reset before anything is executed.
    ResetBefore,
    /// 429 `lock_timeout` without a limit's reason; nothing is executed.
    LockTimeout,
    /// Executed, then the connection closes without one byte of an answer.
    ExecutedThenDropped,
    /// Executed, answered 200 with a body that is cut or garbage.
    UnreadableBody,
    /// 500, stored under the key; executed seconds later, with webhooks.
    #[serde(rename = "500-rolled-forward")]
    RolledForward500,
    /// 500, stored under the key; never executed.
    #[serde(rename = "500-not-executed")]
    NotExecuted500,
    /// The answer comes late; in half the cases the execution, too.
    Slow,
    /// For a second at a time every request is answered 429 `global-rate`.
    #[serde(rename = "429-storm")]
    Storm429,
    /// A paid payout fails after all.
    PaidThenFailed,
    /// An event is sent twice.
    WebhookDuplicate,
    /// An event is never sent.
    WebhookLost,
    /// An event is sent late, so that later ones overtake it.
    WebhookDisorder,
    /// A payout's reversal is refused.
    ReversalRefused,
    /// A payout's reversal fails, in half the cases after it was paid.
    ReversalFails,
}

/// Every fault, with its name on the command line.
pub const FAULTS: [(Fault, &str); 14] = [
    (Fault::ResetBefore, "reset-before"),
    (Fault::LockTimeout, "lock-timeout"),
    (Fault::ExecutedThenDropped, "executed-then-dropped"),
    (Fault::UnreadableBody, "unreadable-body"),
    (Fault::RolledForward500, "500-rolled-forward"),
    (Fault::NotExecuted500, "500-not-executed"),
    (Fault::Slow, "slow"),
    (Fault::Storm429, "429-storm"),
    (Fault::PaidThenFailed, "paid-then-failed"),
    (Fault::WebhookDuplicate, "webhook-duplicate"),
    (Fault::WebhookLost, "webhook-lost"),
    (Fault::WebhookDisorder, "webhook-disorder"),
    (Fault::ReversalRefused, "reversal-refused"),
    (Fault::ReversalFails, "reversal-fails"),
];

/// The faults that answer a money request, in the order they are drawn.
const ON_CREATE: [Fault; 7] = [
    Fault::ResetBefore,
    Fault::LockTimeout,
    Fault::ExecutedThenDropped,
    Fault::UnreadableBody,
    Fault::RolledForward500,
    Fault::NotExecuted500,
    Fault::Slow,
];

impl Fault {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        FAULTS.iter().find(|(fault, _)| *fault == self).map_or("", |(_, name)| name)
    }
}

/// How often one fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Odds {
    /// In thousandths.
    pub per_mille: u64,
    /// At most so many times one idempotency key.
    pub per_key_max: u32,
    /// How late, for `slow`; how soon after the answer, for `500-rolled-forward`; how late at most, for
    /// `webhook-disorder`.
    pub delay_ms: u64,
}

/// Which faults strike, and how often: `name[=PERCENT][xTIMES][@MS]`, separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultPlan {
    odds: BTreeMap<Fault, Odds>,
}

impl FaultPlan {
    /// The odds of each fault that may strike, by name.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<&'static str, Odds> {
        self.odds.iter().map(|(fault, odds)| (fault.name(), *odds)).collect()
    }
}

impl FromStr for FaultPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut odds = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "none") {
            let (name, figures) = part.split_once('=').unwrap_or((part, "5"));
            let (name, figures) = match name.split_once('@') {
                Some((name, ms)) => (name, format!("5@{ms}")),
                None => (name, figures.to_owned()),
            };
            let Some((fault, _)) = FAULTS.iter().find(|(_, known)| *known == name) else {
                let known: Vec<&str> = FAULTS.iter().map(|(_, known)| *known).collect();
                return Err(format!("no fault is called '{name}'; there are: {}", known.join(", ")));
            };
            odds.insert(*fault, parse_odds(*fault, &figures).ok_or_else(|| format!("can't read '{part}'"))?);
        }
        Ok(Self { odds })
    }
}

/// `PERCENT[xTIMES][@MS]`; the percent may have one decimal.
fn parse_odds(fault: Fault, figures: &str) -> Option<Odds> {
    let (figures, delay) = figures.split_once('@').map_or((figures, None), |(left, ms)| (left, Some(ms)));
    let (percent, times) = figures.split_once('x').map_or((figures, None), |(left, times)| (left, Some(times)));
    let (whole, tenths) = percent.split_once('.').unwrap_or((percent, "0"));
    let tenths: u64 = if tenths.len() == 1 {
        tenths.parse().ok()?
    } else {
        return None;
    };
    let per_mille = whole.parse::<u64>().ok()?.checked_mul(10)?.checked_add(tenths)?;
    let usual_ms = if fault == Fault::Slow { 12_000 } else { 2_000 };
    Some(Odds {
        per_mille: (per_mille <= 1000).then_some(per_mille)?,
        per_key_max: times.map_or(Some(2), |times| times.parse().ok())?,
        delay_ms: delay.map_or(Some(usual_ms), |ms| ms.parse().ok())?,
    })
}

/// A fault that struck, with its delay and a roll for what the fault itself leaves open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strike {
    pub(crate) fault: Fault,
    pub(crate) delay_ms: u64,
    pub(crate) roll: u64,
}

/// The plan and its memory of whom it struck.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    plan: FaultPlan,
    sends: HashMap<String, u64>,
    struck: HashMap<String, u32>,
    nameless: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64, plan: FaultPlan) -> Self {
        Self { seed, plan, sends: HashMap::new(), struck: HashMap::new(), nameless: 0 }
    }

    pub(crate) fn set(&mut self, plan: FaultPlan) {
        self.plan = plan;
    }

    pub(crate) fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// Draws for one send of a money request; keyless requests are drawn by their order.
    pub(crate) fn on_create(&mut self, key: Option<&str>) -> Option<Strike> {
        let name = match key {
            Some(key) => key.to_owned(),
            None => {
                self.nameless += 1;
                format!("\u{0}{}", self.nameless)
            }
        };
        let send = self.sends.entry(name.clone()).or_default();
        *send += 1;
        let send = *send;
        for fault in ON_CREATE {
            let Some(odds) = self.plan.odds.get(&fault).copied() else {
                continue;
            };
            let roll = mix(mix_text(self.seed, fault.name()), mix_text(send, &name));
            let struck = self.struck.get(&name).copied().unwrap_or_default();
            if chance(roll, odds.per_mille) && struck < odds.per_key_max {
                self.struck.insert(name, struck + 1);
                return Some(Strike { fault, delay_ms: odds.delay_ms, roll: mix(roll, 1) });
            }
        }
        None
    }

    /// Draws once for a thing that has a name, such as a payout or an event.
    pub(crate) fn on_name(&self, fault: Fault, name: &str) -> Option<Strike> {
        let odds = self.plan.odds.get(&fault)?;
        let roll = mix_text(mix_text(self.seed, fault.name()), name);
        chance(roll, odds.per_mille).then(|| Strike { fault, delay_ms: odds.delay_ms, roll: mix(roll, 1) })
    }

    /// Whether this second is one of a storm.
    pub(crate) fn storms(&self, wall_ms: i64) -> bool {
        self.on_name(Fault::Storm429, &wall_ms.div_euclid(1000).to_string()).is_some()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_percent_times_and_delay() {
        let plan: FaultPlan = "executed-then-dropped,slow=2.5x1@900,429-storm=100".parse().unwrap();
        let odds = plan.by_name();
        assert_eq!(odds["executed-then-dropped"], Odds { per_mille: 50, per_key_max: 2, delay_ms: 2_000 });
        assert_eq!(odds["slow"], Odds { per_mille: 25, per_key_max: 1, delay_ms: 900 });
        assert_eq!(odds["429-storm"].per_mille, 1000);
        assert!("nonsense=5".parse::<FaultPlan>().is_err());
        assert!("slow=101".parse::<FaultPlan>().is_err());
    }

    #[test]
    fn the_order_of_requests_changes_no_fault() {
        let plan: FaultPlan = "executed-then-dropped=30,reset-before=10".parse().unwrap();
        let keys: Vec<String> = (0..200).map(|n| format!("key-{n}")).collect();
        let draw = |order: Vec<&String>| -> BTreeMap<String, Option<Fault>> {
            let mut faults = Faults::new(7, plan.clone());
            order.into_iter().map(|key| (key.clone(), faults.on_create(Some(key)).map(|s| s.fault))).collect()
        };
        let forth = draw(keys.iter().collect());
        assert_eq!(forth, draw(keys.iter().rev().collect()));
        let struck = forth.values().flatten().count();
        assert!((40..110).contains(&struck), "{struck}");
    }
}
