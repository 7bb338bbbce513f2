//! Texts into values. Each error says what to write instead.
use payout_shared::{
    currency::Currency,
    money::Money,
    policy::{PolicyName, PolicyValue},
    roles::{Role, RoleGroups},
};
use secrecy::SecretString;
use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive, str::FromStr};

/// A whole number within bounds.
pub(super) fn number<N: FromStr + PartialOrd + Display>(
    bounds: RangeInclusive<N>,
) -> impl FnOnce(&str) -> Result<N, String> {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| format!("a whole number from {} to {} is needed", bounds.start(), bounds.end()))
    }
}

/// A decimal with at most `places` places behind the point, as a whole number of the last of them: "14.5" with 3 is 14500.
pub(super) fn decimal(text: &str, places: u32, max: u32) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > usize::try_from(places).ok()? {
        return None;
    }
    let scale = 10_u32.checked_pow(places)?;
    let filled = format!("{part:0<width$}", width = usize::try_from(places).ok()?);
    let part: u32 = if filled.is_empty() { 0 } else { filled.parse().ok()? };
    whole.parse::<u32>().ok()?.checked_mul(scale)?.checked_add(part).filter(|number| *number <= max)
}

/// Requests per second, in thousandths.
pub(super) fn rate(text: &str) -> Result<u32, String> {
    let rate = decimal(text, 3, 1_000_000_000).filter(|rate| *rate > 0);
    rate.ok_or_else(|| "a number of requests per second above 0 is needed, as in 14.5".to_owned())
}

/// A percentage, in basis points.
pub(super) fn percent(text: &str) -> Result<u32, String> {
    decimal(text, 2, 10_000).ok_or_else(|| "a percentage from 0 to 100 is needed, as in 10 or 2.5".to_owned())
}

/// A list of secrets, each at least this long.
pub(super) fn secrets(at_least: usize) -> impl FnOnce(&str) -> Result<Vec<SecretString>, String> {
    move |text| {
        let list: Vec<_> = text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
        if list.iter().any(|secret| secret.chars().count() < at_least) {
            return Err(format!("at least {at_least} characters are needed; `payoutd secret new` prints a good one"));
        }
        Ok(list.into_iter().map(SecretString::from).collect())
    }
}

/// `eur=1000,jpy=1000`, each currency once.
pub(super) fn amounts(text: &str) -> Result<Vec<Money>, String> {
    let mut amounts = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let bad = || format!("{pair:?} is not a currency and its minor units; write eur=1000,jpy=1000");
        let (code, minor) = pair.split_once('=').ok_or_else(bad)?;
        let currency = Currency::parse(code.trim()).map_err(|_| bad())?;
        let minor: i64 = minor.trim().parse().ok().filter(|minor| *minor > 0).ok_or_else(bad)?;
        if amounts.insert(currency, minor).is_some() {
            return Err(format!("{currency} is named twice"));
        }
    }
    Ok(amounts.into_iter().map(|(currency, minor)| Money::new(minor, currency)).collect())
}

/// `short=skip,cap.usd=5000.00`, each policy once.
pub(super) fn policies(text: &str) -> Result<BTreeMap<PolicyName, PolicyValue>, String> {
    let mut values = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("{pair:?} is not a policy and its value; write short=skip,cap.usd=5000.00"))?;
        let name = PolicyName::parse(name.trim())?;
        if values.insert(name, PolicyValue::parse(name, value)?).is_some() {
            return Err(format!("{name} is named twice"));
        }
    }
    Ok(values)
}

/// `viewer=payout-view,operator=payout-ops`, each role once.
pub(super) fn role_groups(text: &str) -> Result<RoleGroups, String> {
    let mut groups = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let known = || Role::ALL.map(Role::as_str).join(", ");
        let bad = || format!("{pair:?} is not a role ({}) and its group; write operator=payout-ops", known());
        let (role, group) = pair.split_once('=').ok_or_else(bad)?;
        let role = Role::parse(role.trim()).ok_or_else(bad)?;
        let group = group.trim();
        if group.is_empty() || group.contains(|c: char| c.is_whitespace() || c.is_control() || ":=\0".contains(c)) {
            return Err(bad());
        }
        if groups.insert(role, group.to_owned()).is_some() {
            return Err(format!("{} is named twice", role.as_str()));
        }
    }
    if groups.is_empty() {
        return Err("no role is named: leave it unset, or give groups to roles".to_owned());
    }
    Ok(RoleGroups::new(groups))
}
