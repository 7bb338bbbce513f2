//! Money is exact: what is written is what is meant, in every currency.
use payout_shared::{
    currency::Currency,
    money::{Money, MoneyError},
};
use proptest::prelude::*;

pub(crate) fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn major(text: &str, code: &str) -> Result<i64, MoneyError> {
    Money::parse_major(text, currency(code)).map(|money| money.minor)
}

#[test]
fn amounts_are_shown_grouped_with_their_currencys_decimals() {
    for (minor, code, shown, plain) in [
        (123_450, "usd", "1,234.50 USD", "1234.50"),
        (-5, "eur", "-0.05 EUR", "-0.05"),
        (1200, "jpy", "1,200 JPY", "1200"),
        (0, "usd", "0.00 USD", "0.00"),
        (0, "jpy", "0 JPY", "0"),
        (1_234_567, "kwd", "1,234.567 KWD", "1234.567"),
        (99_999, "usd", "999.99 USD", "999.99"),
        (-100_000_000, "usd", "-1,000,000.00 USD", "-1000000.00"),
        (i64::MIN, "usd", "-92,233,720,368,547,758.08 USD", "-92233720368547758.08"),
        (i64::MAX, "jpy", "9,223,372,036,854,775,807 JPY", "9223372036854775807"),
    ] {
        let money = Money::new(minor, currency(code));
        assert_eq!(money.to_string(), shown);
        assert_eq!(money.to_major(), plain);
    }
}

#[test]
fn an_amount_is_read_exactly_or_not_at_all() {
    for (text, code, minor) in [
        ("50", "usd", 5000),
        ("50.00", "usd", 5000),
        ("-3.5", "usd", -350),
        ("0.1", "usd", 10),
        ("007", "usd", 700),
        ("1.230", "usd", 123),
        ("1.5", "kwd", 1500),
        ("1200", "jpy", 1200),
        ("1200.00", "jpy", 1200),
        ("-0", "usd", 0),
        ("-92233720368547758.08", "usd", i64::MIN),
    ] {
        assert_eq!(major(text, code), Ok(minor), "{text} {code}");
    }
    for (text, code) in [
        ("", "usd"),
        ("-", "usd"),
        (".", "usd"),
        (".5", "usd"),
        ("5.", "usd"),
        ("+5", "usd"),
        ("1,000", "usd"),
        ("1e3", "usd"),
        (" 5", "usd"),
        ("5 ", "usd"),
        ("--5", "usd"),
        ("1.2.3", "usd"),
        ("1.234", "usd"),
        ("1.5", "jpy"),
        ("٣", "usd"),
        ("5.é", "usd"),
        ("92233720368547758.08", "usd"),
        ("NaN", "usd"),
        ("0x10", "usd"),
    ] {
        assert!(matches!(major(text, code), Err(MoneyError::NotAnAmount(..))), "{text:?} {code}");
    }
}

#[test]
fn sums_never_mix_currencies_and_never_wrap() {
    let (usd, eur) = (currency("usd"), currency("eur"));
    assert_eq!(Money::new(1, usd).plus(Money::new(1, eur)), Err(MoneyError::CurrencyMismatch(usd, eur)));
    assert_eq!(Money::new(1, usd).minus(Money::new(1, eur)), Err(MoneyError::CurrencyMismatch(usd, eur)));
    assert_eq!(Money::new(i64::MAX, usd).plus(Money::new(1, usd)), Err(MoneyError::Overflow(i64::MAX, 1, usd)));
    assert_eq!(Money::zero(usd).minus(Money::new(i64::MIN, usd)), Err(MoneyError::Overflow(0, i64::MIN, usd)));
    assert_eq!(Money::new(7, usd).minus(Money::new(9, usd)), Ok(Money::new(-2, usd)));
}

#[test]
fn currencies_have_their_decimals_and_their_payout_unit() {
    for (code, exponent, unit) in [
        ("usd", 2, 1),
        ("jpy", 0, 1),
        ("krw", 0, 1),
        ("kwd", 3, 10),
        ("huf", 2, 100),
        ("twd", 2, 100),
        ("isk", 2, 100),
        ("ugx", 2, 100),
    ] {
        assert_eq!((currency(code).exponent(), currency(code).unit()), (exponent, unit), "{code}");
    }
    assert_eq!(currency("USD"), currency("usd"));
    for text in ["", "us", "usdt", "u$d", "usé", " usd"] {
        assert!(Currency::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn an_error_shows_currencies_and_countries_by_their_codes() {
    assert_eq!(format!("{:?}", currency("USD")), "usd");
    assert_eq!(format!("{:?}", payout_shared::policy::Country::parse("de").unwrap()), "DE");
    let said = MoneyError::CurrencyMismatch(currency("usd"), currency("eur")).to_string();
    assert_eq!(said, "usd and eur cannot be added: they are different currencies");
}

#[test]
fn money_travels_as_minor_units_with_its_currency() {
    let money = Money::new(1234, currency("usd"));
    let json = serde_json::to_string(&money).unwrap();
    assert_eq!(json, r#"{"minor":1234,"currency":"usd"}"#);
    assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
    assert!(
        serde_json::from_str::<Money>(r#"{"minor":1.5,"currency":"usd"}"#).is_err(),
        "no fractions of a minor unit"
    );
    assert!(serde_json::from_str::<Money>(r#"{"minor":1,"currency":"dollar"}"#).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(minor in any::<i64>(), code in "[a-z]{3}") {
        let money = Money::new(minor, currency(&code));
        prop_assert_eq!(Money::parse_major(&money.to_major(), money.currency), Ok(money));
        let ungrouped = money.to_string().replace(',', "").replace(&format!(" {}", code.to_uppercase()), "");
        prop_assert_eq!(ungrouped, money.to_major());
    }

    #[test]
    fn no_text_makes_reading_fail_in_any_other_way(text in "\\PC{0,24}", code in "[a-z]{3}") {
        if let Ok(money) = Money::parse_major(&text, currency(&code)) {
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-'));
            prop_assert_eq!(Money::parse_major(&money.to_major(), money.currency), Ok(money));
        }
    }

    #[test]
    fn what_is_added_is_taken_away_again(a in any::<i64>(), b in any::<i64>()) {
        let usd = currency("usd");
        if let Ok(sum) = Money::new(a, usd).plus(Money::new(b, usd)) {
            prop_assert_eq!(sum.minus(Money::new(b, usd)), Ok(Money::new(a, usd)));
        } else {
            prop_assert!(i64::try_from(i128::from(a) + i128::from(b)).is_err());
        }
    }
}
