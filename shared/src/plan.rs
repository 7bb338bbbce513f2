//! What one purse gets: a payout, or a skip with a machine reason and one human sentence. Per purse, exactly one.
use crate::{
    cohort::Place,
    currency::Currency,
    holding::{self, DAY_MS},
    id::{AccountId, CreatorId, DestinationId},
    money::{Money, MoneyError},
    policy::{Country, PolicySet, Short},
    short::StripeFacts,
};
use serde::{Deserialize, Serialize};

/// Everything about one purse that the decision needs, as the database summed it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurseFacts {
    /// Whose it is.
    pub creator: CreatorId,
    /// The account that holds it.
    pub account: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// Σ of entries that count for this run (money's M).
    pub mature_minor: i64,
    /// Σ of entries that would count but aren't mature yet: for the sentence only.
    pub immature_minor: i64,
    /// What Stripe last said of the account; `None` = never read.
    pub account_facts: Option<AccountFacts>,
    /// The reason of an active hold on the creator.
    pub hold: Option<String>,
    /// The purse's active payout, of this or another run.
    pub active_payout: Option<String>,
    /// A payout on the purse's balance that is none of ours, not adopted yet.
    pub foreign_payout: Option<String>,
    /// The creator's current account, when this one isn't it any more.
    pub replaced_by: Option<AccountId>,
    /// What Stripe holds in it, as last read; `None` = never read.
    pub stripe: Option<StripeFacts>,
    /// Where Stripe holds less than is payable: Σ of the entries chosen by [`crate::short::fifo`], once they were read.
    pub chosen_minor: Option<i64>,
    /// `users.payout_enabled`.
    pub user_enabled: bool,
    /// `users.payout_beta_enabled`, or no beta is open.
    pub beta_open: bool,
    /// Where the creator stands in the rollout.
    pub cohort: Place,
    /// `creator_payout_settings.payout_enabled`.
    pub settings_enabled: bool,
    /// The creator's own minimum, minor units of this currency; 0 = none (it is set in the default currency only).
    pub creator_minimum_minor: i64,
    /// The account's country; `None` when it isn't one.
    pub country: Option<Country>,
    /// Since when the oldest money that counts is on the account, Unix milliseconds: what Stripe's holding limit runs from.
    pub oldest_available_ms: Option<i64>,
    /// Two people allow one payout up to this in this cycle, minor units, whatever the cap is.
    pub cap_override_minor: Option<i64>,
    /// Two people allow these bank accounts in this cycle, however lately they were changed.
    pub bank_overrides: Vec<DestinationId>,
}

/// What Stripe last said of an account, for one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFacts {
    /// Stripe pays out for it at all.
    pub payouts_enabled: bool,
    /// Why not, in Stripe's words.
    pub disabled_reason: Option<String>,
    /// Its schedule is `manual`.
    pub schedule_manual: bool,
    /// The bank account for this currency.
    pub bank: Option<BankFacts>,
}

/// A bank account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankFacts {
    /// Its id at Stripe.
    pub destination: DestinationId,
    /// Its status isn't one of Stripe's failure words.
    pub usable: bool,
    /// Stripe's word for its status.
    pub status: String,
    /// It was changed at this time, Unix milliseconds, after we had known another one; `None` = the first one known.
    pub changed_at_ms: Option<i64>,
}

/// The policy that a plan is made under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRules {
    /// Everything in force at that moment.
    pub policies: PolicySet,
    /// The moment the plan is judged at, Unix milliseconds.
    pub at_ms: i64,
}

/// Why a purse gets nothing in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Payouts of the creator are switched off on the platform (`users.payout_enabled`).
    CreatorDisabled,
    /// Payouts are switched off in the creator's settings.
    SettingsDisabled,
    /// A beta is open and the creator isn't in it.
    NotInBeta,
    /// A rollout is in progress, and no open cohort has the creator.
    NotInCohort,
    /// A person or a rule holds the creator.
    Held,
    /// The purse has a payout on its way already.
    ActivePayout,
    /// A payout that is none of ours was made on its balance.
    ForeignPayout,
    /// L < 0.
    Debt,
    /// Nothing is mature.
    NothingPayable,
    /// Under the largest of the minimums that apply.
    BelowMinimum,
    /// Stripe holds less than is payable.
    StripeShort,
    /// Over the cap per payout.
    OverCap,
    /// The creator has another account by now.
    AccountReplaced,
    /// The account was never read.
    AccountUnread,
    /// Stripe doesn't pay out for the account.
    PayoutsDisabled,
    /// Stripe pays this account by a schedule of its own.
    ScheduleNotManual,
    /// No bank account in this currency.
    NoBankAccount,
    /// The bank account is errored, or failed verification.
    BankUnusable,
    /// The bank account was changed a short time ago.
    BankChanged,
    /// It was sent, and proven never executed. Said of a payout, never by a plan.
    NeverExecuted,
    /// Its run was taken back before it was sent. Said of a payout, never by a plan.
    TakenBack,
}

impl SkipReason {
    /// Every reason, in the order in which they are looked for: the first that applies is the one that is said.
    pub const ALL: [Self; 21] = [
        Self::CreatorDisabled,
        Self::SettingsDisabled,
        Self::NotInBeta,
        Self::NotInCohort,
        Self::Held,
        Self::ActivePayout,
        Self::ForeignPayout,
        Self::Debt,
        Self::NothingPayable,
        Self::BelowMinimum,
        Self::StripeShort,
        Self::OverCap,
        Self::AccountReplaced,
        Self::AccountUnread,
        Self::PayoutsDisabled,
        Self::ScheduleNotManual,
        Self::NoBankAccount,
        Self::BankUnusable,
        Self::BankChanged,
        Self::NeverExecuted,
        Self::TakenBack,
    ];

    /// The word used in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreatorDisabled => "creator_disabled",
            Self::SettingsDisabled => "settings_disabled",
            Self::NotInBeta => "not_in_beta",
            Self::NotInCohort => "not_in_cohort",
            Self::Held => "held",
            Self::ActivePayout => "active_payout",
            Self::ForeignPayout => "foreign_payout",
            Self::Debt => "debt",
            Self::NothingPayable => "nothing_payable",
            Self::BelowMinimum => "below_minimum",
            Self::StripeShort => "stripe_short",
            Self::OverCap => "over_cap",
            Self::AccountReplaced => "account_replaced",
            Self::AccountUnread => "account_unread",
            Self::PayoutsDisabled => "payouts_disabled",
            Self::ScheduleNotManual => "schedule_not_manual",
            Self::NoBankAccount => "no_bank_account",
            Self::BankUnusable => "bank_unusable",
            Self::BankChanged => "bank_changed",
            Self::NeverExecuted => "never_executed",
            Self::TakenBack => "taken_back",
        }
    }

    /// Reads what [`SkipReason::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// The outcome of one purse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It gets a payout.
    Pay {
        /// Σ of its items: a multiple of the currency's unit, > 0.
        amount: Money,
        /// P mod unit, ≥ 0: a `carry_out` of −carry is an item of the payout, a `carry_in` of +carry is free.
        carry: Money,
        /// The bank account that the body will name.
        destination: DestinationId,
    },
    /// It gets nothing.
    Skip {
        /// Why, for machines.
        reason: SkipReason,
        /// Why, for people: "needs 4.20 USD more to reach the 10.00 USD minimum".
        sentence: String,
    },
}

/// Decides one purse. The same function for a dry run, the real plan and a purse clause of the send's guard.
///
/// # Errors
/// [`MoneyError::Overflow`] when the sums don't fit: the purse is refused, nothing is rounded.
pub fn decide(facts: &PurseFacts, rules: &PlanRules) -> Result<Decision, MoneyError> {
    let currency = facts.currency;
    let skip = |reason, sentence: String| Ok(Decision::Skip { reason, sentence });
    if let Some((reason, sentence)) = barred_creator(facts) {
        return skip(reason, sentence);
    }
    if let Some(active) = &facts.active_payout {
        return skip(SkipReason::ActivePayout, format!("payout {active} of this purse is still on its way"));
    }
    if let Some((reason, sentence)) = barred_purse(facts) {
        return skip(reason, sentence);
    }
    let payable = Money::new(facts.mature_minor, currency);
    if payable.minor < 0 {
        let debt = Money::zero(currency).minus(payable)?;
        return skip(SkipReason::Debt, format!("owes {debt}: it is taken from what is earned next"));
    }
    if payable.minor == 0 {
        let later = Money::new(facts.immature_minor, currency);
        return skip(SkipReason::NothingPayable, format!("nothing is payable yet; {later} comes later"));
    }
    let minimum = minimum(facts, rules)?;
    let (mut amount, mut carry) = whole_units(payable)?;
    if amount.minor < minimum.minor {
        let lacking = minimum.minus(payable)?;
        return skip(SkipReason::BelowMinimum, format!("needs {lacking} more to reach the {minimum} minimum"));
    }
    if let Some(available) = short_of(facts, amount.minor, rules.at_ms) {
        let chosen = match rules.policies.short() {
            Short::Fifo => facts.chosen_minor,
            Short::Skip => None,
        };
        (amount, carry) = whole_units(Money::new(chosen.unwrap_or(0), currency))?;
        if amount.minor < minimum.minor || amount.minor > available.minor {
            return skip(
                SkipReason::StripeShort,
                format!("{payable} is payable, but Stripe holds {available} of it now"),
            );
        }
    }
    if let Some(cap) =
        rules.policies.cap(currency).filter(|cap| amount.minor > cap.minor.max(facts.cap_override_minor.unwrap_or(0)))
    {
        return skip(
            SkipReason::OverCap,
            format!("{amount} is over the cap of {cap} per payout: two people have to look at it"),
        );
    }
    match usable_account(facts, rules) {
        Ok(destination) => Ok(Decision::Pay { amount, carry, destination }),
        Err((reason, sentence)) => skip(reason, sentence),
    }
}

/// What Stripe holds, when it is surely less than this amount: only a fresh balance says something about now.
#[must_use]
pub fn short_of(facts: &PurseFacts, amount_minor: i64, at_ms: i64) -> Option<Money> {
    let stripe = facts.stripe.filter(|stripe| stripe.is_fresh(at_ms) && stripe.available_minor < amount_minor)?;
    Some(Money::new(stripe.available_minor, facts.currency))
}

/// What Stripe holds, when the decision needs the purse's single entries: [`crate::short::fifo`] chooses of them, and their sum
/// goes into [`PurseFacts::chosen_minor`].
///
/// # Errors
/// As [`decide`].
pub fn wants_entries(facts: &PurseFacts, rules: &PlanRules) -> Result<Option<i64>, MoneyError> {
    let short = match decide(facts, rules)? {
        Decision::Skip { reason, .. } => reason == SkipReason::StripeShort,
        Decision::Pay { .. } => false,
    };
    Ok(match rules.policies.short() {
        Short::Fifo if short => facts.stripe.map(|stripe| stripe.available_minor),
        Short::Fifo | Short::Skip => None,
    })
}

/// A sum as whole units, and what is left over.
fn whole_units(sum: Money) -> Result<(Money, Money), MoneyError> {
    let over = Money::new(over_unit(sum.minor, sum.currency).max(0), sum.currency);
    Ok((sum.minus(over)?, over))
}

/// What a payout's unit leaves over: floors, whole units only.
fn over_unit(minor: i64, currency: Currency) -> i64 {
    minor.checked_rem(currency.unit()).unwrap_or(0)
}

/// The largest of the minimums that apply, as the smallest amount that can be paid under it: a whole number of units. Money that would
/// pass Stripe's holding limit before the next cycle isn't held back by a minimum of ours, only by the country's floor.
fn minimum(facts: &PurseFacts, rules: &PlanRules) -> Result<Money, MoneyError> {
    let (currency, unit) = (facts.currency, facts.currency.unit());
    let floor = facts.country.and_then(|country| rules.policies.country_minimum(country, currency));
    let ours = if is_due(facts, rules) {
        0
    } else {
        rules.policies.minimum(currency).map_or(0, |money| money.minor).max(facts.creator_minimum_minor)
    };
    let largest = Money::new(ours.max(floor.map_or(0, |money| money.minor)).max(unit), currency);
    match over_unit(largest.minor, currency) {
        0 => Ok(largest),
        over => largest.minus(Money::new(over, currency))?.plus(Money::new(unit, currency)),
    }
}

fn is_due(facts: &PurseFacts, rules: &PlanRules) -> bool {
    let known = facts.country.zip(facts.oldest_available_ms);
    known.is_some_and(|(country, since_ms)| holding::is_due(since_ms, rules.at_ms, country))
}

/// Money of this purse has lain for most of the time that Stripe lets it lie.
#[must_use]
pub fn is_alarming(facts: &PurseFacts, rules: &PlanRules) -> bool {
    let known = facts.country.zip(facts.oldest_available_ms);
    known.is_some_and(|(country, since_ms)| holding::is_alarming(since_ms, rules.at_ms, country))
}

/// Flags and holds, in the order of [`SkipReason::ALL`].
fn barred_creator(facts: &PurseFacts) -> Option<(SkipReason, String)> {
    if !facts.user_enabled {
        return Some((
            SkipReason::CreatorDisabled,
            "payouts are switched off for this creator on the platform".to_owned(),
        ));
    }
    if !facts.settings_enabled {
        return Some((SkipReason::SettingsDisabled, "payouts are switched off in the creator's settings".to_owned()));
    }
    if !facts.beta_open {
        return Some((SkipReason::NotInBeta, "a beta is open and the creator is not in it".to_owned()));
    }
    if let Some(why) = facts.cohort.why_out() {
        return Some((SkipReason::NotInCohort, why));
    }
    facts.hold.as_ref().map(|reason| (SkipReason::Held, format!("held: {reason}")))
}

/// Payouts on the purse's balance that aren't ours.
fn barred_purse(facts: &PurseFacts) -> Option<(SkipReason, String)> {
    let foreign = facts.foreign_payout.as_ref()?;
    let sentence = format!(
        "payout {foreign} was made on this balance, and not by us: nothing more is paid from it until somebody has adopted it \
         (payout adopt {foreign} --creator {})",
        facts.creator
    );
    Some((SkipReason::ForeignPayout, sentence))
}

/// The bank account that can be paid to, or why there is none.
fn usable_account(facts: &PurseFacts, rules: &PlanRules) -> Result<DestinationId, (SkipReason, String)> {
    if let Some(current) = &facts.replaced_by {
        return Err((
            SkipReason::AccountReplaced,
            format!(
                "account {} was replaced by {current}: what lies on it stays there (payout creator account {} {} pays from it again)",
                facts.account, facts.creator, facts.account
            ),
        ));
    }
    let Some(account) = &facts.account_facts else {
        return Err((SkipReason::AccountUnread, format!("account {} was not read from Stripe yet", facts.account)));
    };
    if !account.payouts_enabled {
        let why = account.disabled_reason.as_deref().unwrap_or("no reason given");
        return Err((
            SkipReason::PayoutsDisabled,
            format!("Stripe has disabled payouts for account {}: {why}", facts.account),
        ));
    }
    if !account.schedule_manual {
        return Err((
            SkipReason::ScheduleNotManual,
            format!("Stripe pays account {} by a schedule of its own: set it to manual", facts.account),
        ));
    }
    let Some(bank) = &account.bank else {
        return Err((
            SkipReason::NoBankAccount,
            format!("account {} has no bank account for {}", facts.account, facts.currency),
        ));
    };
    if !bank.usable {
        return Err((
            SkipReason::BankUnusable,
            format!("bank account {} is {}: the creator has to replace it", bank.destination, bank.status),
        ));
    }
    let waited = bank.changed_at_ms.map(|changed| rules.at_ms.saturating_sub(changed));
    if !facts.bank_overrides.contains(&bank.destination)
        && waited.is_some_and(|waited| waited < rules.policies.bank_changed_days().saturating_mul(DAY_MS))
    {
        return Err((
            SkipReason::BankChanged,
            format!(
                "bank account {} was changed a short time ago: it is paid to later, or after an approver has looked",
                bank.destination
            ),
        ));
    }
    Ok(bank.destination.clone())
}

/// The guard's purse clause: may a payout that was planned for `destination` leave now? `None` = yes. The sums aren't asked again
/// (its items are locked; whether Stripe
/// holds them is [`short_of`]), the rest is: flags, hold, foreign payouts, account, schedule, bank, and that the destination is still the one planned.
#[must_use]
pub fn guard(facts: &PurseFacts, destination: &DestinationId, rules: &PlanRules) -> Option<(SkipReason, String)> {
    if let Some(barred) = barred_creator(facts).or_else(|| barred_purse(facts)) {
        return Some(barred);
    }
    match usable_account(facts, rules) {
        Err(barred) => Some(barred),
        Ok(now) if now != *destination => Some((
            SkipReason::BankChanged,
            format!("planned for bank account {destination}, which was replaced by {now} meanwhile"),
        )),
        Ok(_) => None,
    }
}
