//! Policies: what the platform decided about paying, each a list of versions with the moment they count from.
//!
//! One table of names with unit, default and reason. What is in force at a moment is the newest version that counts by then; nothing is ever
//! changed for the past.
use crate::{currency::Currency, money::Money};
use std::collections::BTreeMap;

mod name;
mod value;
pub use name::{Country, Policy, PolicyName, Scope};
pub use value::{Measure, PolicyValue, Short};

/// Who set a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The program, when nobody else said anything.
    Default,
    /// The configuration, at a start.
    Environment,
    /// A person.
    Person,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Default, Self::Environment, Self::Person];

    /// The word used in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Environment => "environment",
            Self::Person => "person",
        }
    }

    /// Reads what [`Source::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

/// One version of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Its number: later versions have larger ones.
    pub id: i64,
    /// Of what.
    pub name: PolicyName,
    /// What holds.
    pub value: PolicyValue,
    /// From when on, Unix milliseconds.
    pub effective_from_ms: i64,
    /// Who.
    pub set_by: String,
    /// Why.
    pub reason: String,
    /// By which way.
    pub source: Source,
    /// When it was written, Unix milliseconds.
    pub created_at_ms: i64,
}

/// Every version that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyHistory {
    versions: Vec<PolicyVersion>,
}

impl PolicyHistory {
    /// Of these versions, in any order.
    #[must_use]
    pub fn new(mut versions: Vec<PolicyVersion>) -> Self {
        versions.sort_by_key(|version| (version.effective_from_ms, version.id));
        Self { versions }
    }

    /// All of them, in the order in which they count.
    #[must_use]
    pub fn versions(&self) -> &[PolicyVersion] {
        &self.versions
    }

    /// Everything that is in force at a moment (Unix milliseconds): of each policy the last version that counts by then, else its default.
    #[must_use]
    pub fn at(&self, at_ms: i64) -> PolicySet {
        let mut set = PolicySet::default();
        for version in self.versions.iter().take_while(|version| version.effective_from_ms <= at_ms) {
            set.put(version.name, version.value);
        }
        set
    }

    /// The version of a policy that is in force at a moment.
    #[must_use]
    pub fn in_force(&self, name: PolicyName, at_ms: i64) -> Option<&PolicyVersion> {
        let counts = |version: &&PolicyVersion| version.name == name && version.effective_from_ms <= at_ms;
        self.versions.iter().rfind(counts)
    }

    /// The version that a start of the program has to write, given what the configuration says of a policy: only when that differs from
    /// what a start wrote last, so that a person's later version stands until the configuration is changed. A default (said as such, or
    /// nothing said at all) takes back only what the program itself had set.
    #[must_use]
    pub fn to_write(&self, name: PolicyName, said: Option<(PolicyValue, Source)>) -> Option<(PolicyValue, Source)> {
        let of_name = || self.versions.iter().filter(|version| version.name == name);
        let newest = of_name().max_by_key(|version| version.id);
        let by_start = of_name().filter(|version| version.source != Source::Person).max_by_key(|version| version.id);
        let last = by_start.map(|version| version.value);
        match said {
            Some((value, Source::Environment | Source::Person)) => {
                (last != Some(value)).then_some((value, Source::Environment))
            }
            Some((_, Source::Default)) | None => {
                let value = said.map_or_else(|| name.policy.default_value(), |(value, _)| value);
                let by_person = newest.is_some_and(|version| version.source == Source::Person);
                let says_nothing = last.is_none() && value == PolicyValue::None;
                (!by_person && !says_nothing && last != Some(value)).then_some((value, Source::Default))
            }
        }
    }
}

/// All values in force at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySet {
    values: BTreeMap<PolicyName, PolicyValue>,
}

impl Default for PolicySet {
    /// What holds when nobody ever said anything.
    fn default() -> Self {
        let whole = Policy::ALL.into_iter().filter(|policy| policy.scope() == Scope::Whole);
        Self { values: whole.map(|policy| (PolicyName::whole(policy), policy.default_value())).collect() }
    }
}

impl PolicySet {
    fn put(&mut self, name: PolicyName, value: PolicyValue) {
        self.values.insert(name, value);
    }

    /// The same with one policy set to another value: for tests and for "what if".
    ///
    /// # Errors
    /// One sentence, for a name or a value that is none.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, String> {
        let name = PolicyName::parse(name)?;
        let value = PolicyValue::parse(name, value)?;
        self.put(name, value);
        Ok(self)
    }

    /// Each policy that has a value, and the value.
    pub fn iter(&self) -> impl Iterator<Item = (PolicyName, PolicyValue)> + '_ {
        self.values.iter().map(|(name, value)| (*name, *value))
    }

    fn number(&self, name: PolicyName) -> Option<i64> {
        self.values.get(&name).and_then(|value| value.number())
    }

    fn whole(&self, policy: Policy) -> i64 {
        self.number(PolicyName::whole(policy)).unwrap_or(0)
    }

    fn amount(&self, policy: Policy, currency: Currency) -> Option<Money> {
        self.number(PolicyName::of(policy, currency)).map(|minor| Money::new(minor, currency))
    }

    /// The least that is paid out; `None` = whatever a payout may be.
    #[must_use]
    pub fn minimum(&self, currency: Currency) -> Option<Money> {
        self.amount(Policy::Minimum, currency)
    }

    /// The least that is paid out to accounts of a country.
    #[must_use]
    pub fn country_minimum(&self, country: Country, currency: Currency) -> Option<Money> {
        let name = PolicyName { policy: Policy::CountryMinimum, country: Some(country), currency: Some(currency) };
        self.number(name).map(|minor| Money::new(minor, currency))
    }

    /// The most that one payout may be without two people.
    #[must_use]
    pub fn cap(&self, currency: Currency) -> Option<Money> {
        self.amount(Policy::Cap, currency)
    }

    /// The most that the payouts of one run may come to without two people.
    #[must_use]
    pub fn run_cap(&self, currency: Currency) -> Option<Money> {
        self.amount(Policy::RunCap, currency)
    }

    /// A run of more than this needs two people.
    #[must_use]
    pub fn approval_above(&self, currency: Currency) -> Option<Money> {
        self.amount(Policy::ApprovalAbove, currency)
    }

    /// How far Stripe's balance and our entries may be apart before somebody is told; `None` = nobody said.
    #[must_use]
    pub fn drift_tolerance(&self, currency: Currency) -> Option<Money> {
        self.amount(Policy::DriftTolerance, currency)
    }

    /// How much more than the last completed cycle a run may come to without two people, basis points; `None` = any.
    #[must_use]
    pub fn growth_cap_bp(&self) -> Option<i64> {
        self.number(PolicyName::whole(Policy::GrowthCapPercent))
    }

    /// How many payouts of a run leave first; 0 = no canary.
    #[must_use]
    pub fn canary_count(&self) -> i64 {
        self.whole(Policy::CanaryCount)
    }

    /// How many of them may fail, basis points.
    #[must_use]
    pub fn canary_fail_bp(&self) -> i64 {
        self.whole(Policy::CanaryFailPercent)
    }

    /// What is kept back of a sale's net, basis points.
    #[must_use]
    pub fn reserve_bp(&self) -> i64 {
        self.whole(Policy::ReservePercent)
    }

    /// For how long, days since it was earned.
    #[must_use]
    pub fn reserve_days(&self) -> i64 {
        self.whole(Policy::ReserveDays)
    }

    /// How long an earning waits beyond Stripe's settlement, days since it was earned.
    #[must_use]
    pub fn hold_days(&self) -> i64 {
        self.whole(Policy::HoldDays)
    }

    /// A bank account changed less than this ago isn't paid to, days.
    #[must_use]
    pub fn bank_changed_days(&self) -> i64 {
        self.whole(Policy::BankChangedDays)
    }

    /// The platform's expected fee, basis points.
    #[must_use]
    pub fn fee_bp(&self) -> i64 {
        self.whole(Policy::FeePercent)
    }

    /// When an estimated sale is expected on the balance, days after it was earned.
    #[must_use]
    pub fn settlement_days(&self) -> i64 {
        self.whole(Policy::SettlementDays)
    }

    /// What happens when Stripe's balance is short.
    #[must_use]
    pub fn short(&self) -> Short {
        match self.values.get(&PolicyName::whole(Policy::Short)) {
            Some(PolicyValue::Short(short)) => *short,
            Some(PolicyValue::Number(_) | PolicyValue::None) | None => Short::Fifo,
        }
    }
}
