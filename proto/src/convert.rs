//! Between the core's words and the messages.
use crate::v1;
use payout_shared::money::Money;

impl From<Money> for v1::Money {
    fn from(money: Money) -> Self {
        Self { minor: money.minor, currency: money.currency.to_string() }
    }
}

impl TryFrom<v1::Money> for Money {
    type Error = payout_shared::currency::NotACurrency;

    fn try_from(money: v1::Money) -> Result<Self, Self::Error> {
        Ok(Self::new(money.minor, payout_shared::currency::Currency::parse(&money.currency)?))
    }
}
