//! The one table of policies: their words, what they are per, what they count, their defaults and why.
use super::value::{Measure, PolicyValue, Short};
use crate::currency::Currency;

/// A country by its ISO 3166 code, in upper case as Stripe writes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads a code in either case; `None` for anything but two ASCII letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [a, b] if text.bytes().all(|l| l.is_ascii_alphabetic()) => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }

    /// The code in upper case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII letters by construction.
        std::str::from_utf8(&self.0).unwrap_or("XX")
    }
}

impl std::fmt::Debug for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// `minimum.<cur>`
    Minimum,
    /// `country_minimum.<CC>.<cur>`
    CountryMinimum,
    /// `cap.<cur>`
    Cap,
    /// `run_cap.<cur>`
    RunCap,
    /// `growth_cap_percent`
    GrowthCapPercent,
    /// `approval_above.<cur>`
    ApprovalAbove,
    /// `canary_count`
    CanaryCount,
    /// `canary_fail_percent`
    CanaryFailPercent,
    /// `hold_days`
    HoldDays,
    /// `bank_changed_days`
    BankChangedDays,
    /// `reserve_percent`
    ReservePercent,
    /// `reserve_days`
    ReserveDays,
    /// `short`
    Short,
    /// `drift_tolerance.<cur>`
    DriftTolerance,
    /// `fee_percent`
    FeePercent,
    /// `settlement_days`
    SettlementDays,
}

/// What a policy has a value for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One for everything.
    Whole,
    /// One per currency.
    Currency,
    /// One per country and currency.
    CountryCurrency,
}

impl Policy {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 16] = [
        Self::Minimum,
        Self::CountryMinimum,
        Self::Cap,
        Self::RunCap,
        Self::GrowthCapPercent,
        Self::ApprovalAbove,
        Self::CanaryCount,
        Self::CanaryFailPercent,
        Self::HoldDays,
        Self::BankChangedDays,
        Self::ReservePercent,
        Self::ReserveDays,
        Self::Short,
        Self::DriftTolerance,
        Self::FeePercent,
        Self::SettlementDays,
    ];

    /// The first part of its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::CountryMinimum => "country_minimum",
            Self::Cap => "cap",
            Self::RunCap => "run_cap",
            Self::GrowthCapPercent => "growth_cap_percent",
            Self::ApprovalAbove => "approval_above",
            Self::CanaryCount => "canary_count",
            Self::CanaryFailPercent => "canary_fail_percent",
            Self::HoldDays => "hold_days",
            Self::BankChangedDays => "bank_changed_days",
            Self::ReservePercent => "reserve_percent",
            Self::ReserveDays => "reserve_days",
            Self::Short => "short",
            Self::DriftTolerance => "drift_tolerance",
            Self::FeePercent => "fee_percent",
            Self::SettlementDays => "settlement_days",
        }
    }

    /// What it has a value for.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::CountryMinimum => Scope::CountryCurrency,
            Self::Minimum | Self::Cap | Self::RunCap | Self::ApprovalAbove | Self::DriftTolerance => Scope::Currency,
            Self::GrowthCapPercent
            | Self::CanaryCount
            | Self::CanaryFailPercent
            | Self::HoldDays
            | Self::BankChangedDays
            | Self::ReservePercent
            | Self::ReserveDays
            | Self::Short
            | Self::FeePercent
            | Self::SettlementDays => Scope::Whole,
        }
    }

    /// What its value counts.
    #[must_use]
    pub const fn measure(self) -> Measure {
        match self {
            Self::Minimum
            | Self::CountryMinimum
            | Self::Cap
            | Self::RunCap
            | Self::ApprovalAbove
            | Self::DriftTolerance => Measure::Amount,
            Self::GrowthCapPercent => Measure::BasisPoints { max: 1_000_000, may_be_none: true },
            Self::CanaryFailPercent | Self::ReservePercent | Self::FeePercent => {
                Measure::BasisPoints { max: 10_000, may_be_none: false }
            }
            Self::CanaryCount => Measure::Count { max: 100_000 },
            Self::HoldDays | Self::ReserveDays => Measure::Days { max: 713 },
            Self::BankChangedDays | Self::SettlementDays => Measure::Days { max: 90 },
            Self::Short => Measure::Word,
        }
    }

    /// What holds when nobody says anything.
    #[must_use]
    pub const fn default_value(self) -> PolicyValue {
        match self {
            Self::Minimum
            | Self::CountryMinimum
            | Self::Cap
            | Self::RunCap
            | Self::GrowthCapPercent
            | Self::ApprovalAbove
            | Self::DriftTolerance => PolicyValue::None,
            Self::CanaryCount | Self::HoldDays | Self::ReservePercent | Self::ReserveDays => PolicyValue::Number(0),
            Self::CanaryFailPercent => PolicyValue::Number(2_000),
            Self::BankChangedDays => PolicyValue::Number(3),
            Self::Short => PolicyValue::Short(Short::Fifo),
            Self::FeePercent => PolicyValue::Number(1_000),
            Self::SettlementDays => PolicyValue::Number(7),
        }
    }

    /// What it does, and why its default is what it is.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Minimum => {
                "the least paid out in a currency: below it fees and noise outweigh it; the largest minimum wins"
            }
            Self::CountryMinimum => {
                "Stripe's or the banks' own least for accounts of a country, as in country_minimum.KR.krw: never gone below"
            }
            Self::Cap => "the most that one payout may be; none = no cap",
            Self::RunCap => "the most that one run may come to in a currency; more waits for approval; none = no cap",
            Self::GrowthCapPercent => {
                "how much more than the last completed cycle a run may come to; more waits for approval; none, because a first cycle has no last one"
            }
            Self::ApprovalAbove => "a run that comes to more in a currency waits for two people; none = no run waits",
            Self::CanaryCount => {
                "so many payouts of a run leave first, the rest when they did well; 0, because a small run is its own canary"
            }
            Self::CanaryFailPercent => {
                "more failures than this among the first ones pause the run: one in five is no accident"
            }
            Self::HoldDays => {
                "how long an earning waits beyond Stripe's own settlement; 0, because Stripe waits already"
            }
            Self::BankChangedDays => {
                "a bank account changed less than this ago is not paid to: swapping it is how money is stolen"
            }
            Self::ReservePercent => {
                "kept back of each sale earned from then on; 0, because a reserve is a promise to creators first"
            }
            Self::ReserveDays => "how long the reserve is kept, since the sale",
            Self::Short => "when Stripe's balance is short: fifo pays the oldest earnings that fit, skip pays nothing",
            Self::DriftTolerance => {
                "how far Stripe's balance and our entries may be apart before somebody is told; none = 100 minor units"
            }
            Self::FeePercent => "what charges are expected to have paid already; checked, never deducted again",
            Self::SettlementDays => {
                "when a sale is expected on the balance as long as Stripe hasn't said it: its default outside the fast countries"
            }
        }
    }
}

/// The name of one policy: `hold_days`, `minimum.usd`, `country_minimum.KR.krw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyName {
    /// Which.
    pub policy: Policy,
    /// Of which country, where it has one.
    pub country: Option<Country>,
    /// In which currency, where it has one.
    pub currency: Option<Currency>,
}

impl PolicyName {
    /// Of one that there is one of.
    #[must_use]
    pub const fn whole(policy: Policy) -> Self {
        Self { policy, country: None, currency: None }
    }

    /// Of one per currency.
    #[must_use]
    pub const fn of(policy: Policy, currency: Currency) -> Self {
        Self { policy, country: None, currency: Some(currency) }
    }

    /// Reads what `Display` writes, with codes in either case.
    ///
    /// # Errors
    /// One sentence that says what a name is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split('.');
        let word = parts.next().unwrap_or_default();
        let policy = Policy::ALL.into_iter().find(|policy| policy.as_str() == word).ok_or_else(|| {
            let known: Vec<&str> = Policy::ALL.into_iter().map(Policy::as_str).collect();
            format!("{text:?} is no policy: there are {}", known.join(", "))
        })?;
        let rest: Vec<&str> = parts.collect();
        let currency = |code: &str| Currency::parse(code).map_err(|error| error.to_string());
        match (policy.scope(), rest.as_slice()) {
            (Scope::Whole, []) => Ok(Self::whole(policy)),
            (Scope::Currency, [code]) => Ok(Self::of(policy, currency(code)?)),
            (Scope::CountryCurrency, [country, code]) => {
                let country = Country::parse(country)
                    .ok_or_else(|| format!("{country:?} is not a country: two letters such as \"US\" are needed"))?;
                Ok(Self { policy, country: Some(country), currency: Some(currency(code)?) })
            }
            (Scope::Whole | Scope::Currency | Scope::CountryCurrency, _) => {
                Err(format!("{text:?} is no policy; write {}", policy.template()))
            }
        }
    }
}

impl Policy {
    /// How its name is written: `minimum.<cur>`.
    #[must_use]
    pub fn template(self) -> String {
        match self.scope() {
            Scope::Whole => self.as_str().to_owned(),
            Scope::Currency => format!("{}.<cur>", self.as_str()),
            Scope::CountryCurrency => format!("{}.<CC>.<cur>", self.as_str()),
        }
    }
}

impl std::fmt::Display for PolicyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.policy.as_str())?;
        if let Some(country) = &self.country {
            write!(f, ".{}", country.as_str())?;
        }
        match &self.currency {
            Some(currency) => write!(f, ".{currency}"),
            None => Ok(()),
        }
    }
}
