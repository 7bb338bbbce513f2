//! What the configuration says of policies: each setting of its own is one, and PAYOUT_POLICIES names any of them.
use super::{
    ConfigError,
    parse::{amounts, number, percent, policies},
    read::Reader,
    table,
};
use payout_shared::{
    currency::Currency,
    money::Money,
    policy::{Policy, PolicyName, PolicyValue, Source},
};
use std::collections::BTreeMap;

/// Who is paid how much, as far as the configuration says it.
#[derive(Clone, Debug)]
pub struct PolicyConfig {
    /// PLATFORM_DEFAULT_CURRENCY.
    pub default_currency: Currency,
    /// Each policy that a setting names, with its value; by default where the setting has one and nobody set it.
    pub values: BTreeMap<PolicyName, (PolicyValue, Source)>,
}

impl PolicyConfig {
    /// # Errors
    /// Never, as long as the default currency in the table is one.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Vec<ConfigError>> {
        let usd = Currency::parse(table::PLATFORM_DEFAULT_CURRENCY.default);
        let usd = usd.map_err(|error| {
            reader.wrong(table::PLATFORM_DEFAULT_CURRENCY.name, String::new(), error.to_string());
            std::mem::take(&mut reader.errors)
        })?;
        let parse = |text: &str| Currency::parse(text).map_err(|error| error.to_string());
        let default_currency = reader.get(table::PLATFORM_DEFAULT_CURRENCY, usd, parse);
        let mut values = BTreeMap::new();
        let mut put = |name: PolicyName, number: i64, is_set: bool| {
            let source = if is_set { Source::Environment } else { Source::Default };
            values.insert(name, (PolicyValue::Number(number), source));
        };
        let threshold = reader.get(table::PAYOUT_MIN_THRESHOLD_CENTS, 1_000, number(1..=i64::MAX));
        let is_set = reader.is_set(table::PAYOUT_MIN_THRESHOLD_CENTS);
        put(PolicyName::of(Policy::Minimum, default_currency), threshold, is_set);
        for Money { minor, currency } in reader.get(table::PAYOUT_MINIMUMS, Vec::new(), amounts) {
            // The larger where both name one.
            let minor = if currency == default_currency { minor.max(threshold) } else { minor };
            put(PolicyName::of(Policy::Minimum, currency), minor, true);
        }
        for Money { minor, currency } in reader.get(table::PAYOUT_CAPS, Vec::new(), amounts) {
            put(PolicyName::of(Policy::Cap, currency), minor, true);
        }
        for (policy, setting, default) in [
            (Policy::HoldDays, table::PAYOUT_HOLD_DAYS, 0),
            (Policy::BankChangedDays, table::PAYOUT_BANK_CHANGED_DAYS, 3),
        ] {
            let days = reader.get(setting, default, number(0..=90));
            put(PolicyName::whole(policy), days, reader.is_set(setting));
        }
        let fee_bp = reader.get(table::PLATFORM_FEE_PERCENT, 1_000, percent);
        put(PolicyName::whole(Policy::FeePercent), fee_bp.into(), reader.is_set(table::PLATFORM_FEE_PERCENT));
        for (name, value) in reader.get(table::PAYOUT_POLICIES, BTreeMap::new(), policies) {
            if values
                .insert(name, (value, Source::Environment))
                .is_some_and(|(_, source)| source == Source::Environment)
            {
                let problem = format!("{name} is set by a setting of its own as well: leave one of them out");
                reader.wrong(table::PAYOUT_POLICIES.name, String::new(), problem);
            }
        }
        Ok(Self { default_currency, values })
    }
}
