//! Answers read by async-stripe's own types. They refuse an object in which one required field is missing or null, or that
//! nests something unknown: `None` then, and the lean reader has its turn.
use super::BalanceObject;
use crate::stripe::{AccountObject, BankObject};
use payout_shared::{
    answer::PayoutObject,
    attempt::METADATA_KEY,
    currency::Currency,
    id::{AccountId, DestinationId, Mode, ObjectId},
    payout::ObjectStatus,
};
use std::fmt::Display;
use stripe_client_core::{CustomizedStripeRequest, StripeBlockingClient, StripeClientErr, StripeRequest as _};
use stripe_connect::account::RetrieveForMyAccountAccount;
use stripe_core::{
    balance::RetrieveForMyAccountBalance,
    payout::{ListPayout, RetrievePayout},
};
use stripe_types::Object as _;

/// Answers every request with bytes that have already arrived: async-stripe's decoder without its transport.
struct Arrived<'a>(&'a [u8]);

struct Refused;

impl StripeClientErr for Refused {
    fn deserialize_err(_: impl Display) -> Self {
        Self
    }
}

impl StripeBlockingClient for Arrived<'_> {
    type Err = Refused;

    fn execute(&self, _: CustomizedStripeRequest) -> Result<bytes::Bytes, Refused> {
        Ok(bytes::Bytes::copy_from_slice(self.0))
    }
}

pub(super) fn payout(bytes: &[u8], account: &AccountId) -> Option<PayoutObject> {
    let payout = RetrievePayout::new("po").customize().send_blocking(&Arrived(bytes)).ok()?;
    ours(payout, account)
}

pub(super) fn payouts(bytes: &[u8], account: &AccountId) -> Option<(Vec<PayoutObject>, bool)> {
    let page = ListPayout::new().customize().send_blocking(&Arrived(bytes)).ok()?;
    let payouts = page.data.into_iter().map(|payout| ours(payout, account)).collect::<Option<Vec<_>>>()?;
    // A page of nothing that has more is no answer: the other reader says so.
    (!payouts.is_empty() || !page.has_more).then_some((payouts, page.has_more))
}

fn ours(payout: stripe_shared::Payout, account: &AccountId) -> Option<PayoutObject> {
    Some(PayoutObject {
        id: ObjectId::new(payout.id.to_string()),
        account: account.clone(),
        amount_minor: payout.amount,
        currency: currency(&payout.currency)?,
        status: ObjectStatus::parse(&payout.status),
        mode: mode(payout.livemode),
        destination: payout.destination.map(|it| DestinationId::new(it.id().to_string())),
        automatic: payout.automatic,
        key: payout.metadata.and_then(|mut metadata| metadata.remove(METADATA_KEY)),
        failure_code: payout.failure_code,
        failure_message: payout.failure_message,
        failure_balance_transaction: payout.failure_balance_transaction.map(|it| it.id().to_string()),
        created_s: payout.created,
        arrival_date_s: Some(payout.arrival_date),
        original_payout: payout.original_payout.map(|it| ObjectId::new(it.id().to_string())),
        reversed_by: payout.reversed_by.map(|it| ObjectId::new(it.id().to_string())),
    })
}

pub(super) fn account(bytes: &[u8]) -> Option<AccountObject> {
    let account = RetrieveForMyAccountAccount::new().customize().send_blocking(&Arrived(bytes)).ok()?;
    Some(AccountObject {
        id: AccountId::new(account.id.to_string()),
        country: account.country,
        payouts_enabled: account.payouts_enabled.unwrap_or(false),
        charges_enabled: account.charges_enabled.unwrap_or(false),
        details_submitted: account.details_submitted.unwrap_or(false),
        disabled_reason: account.requirements.and_then(|it| it.disabled_reason).map(|reason| reason.to_string()),
        schedule_interval: account.settings.and_then(|it| it.payouts).map(|payouts| payouts.schedule.interval),
        banks: account.external_accounts.map_or_else(Vec::new, |list| list.data.iter().filter_map(bank).collect()),
    })
}

/// `None` for a card without a currency: it takes no payouts.
fn bank(account: &stripe_shared::ExternalAccount) -> Option<BankObject> {
    use stripe_shared::ExternalAccount::{BankAccount, Card};
    let (of, status, is_default, (bank_name, country)) = match account {
        BankAccount(bank) => (
            &bank.currency,
            bank.status.clone(),
            bank.default_for_currency,
            (bank.bank_name.clone(), Some(bank.country.clone())),
        ),
        Card(card) => (
            card.currency.as_ref()?,
            card.status.clone().unwrap_or_default(),
            card.default_for_currency,
            (None, card.country.clone()),
        ),
    };
    Some(BankObject {
        id: DestinationId::new(account.id().to_string()),
        currency: currency(of)?,
        status,
        default_for_currency: is_default.unwrap_or(false),
        bank_name,
        country,
    })
}

pub(super) fn balance(bytes: &[u8]) -> Option<BalanceObject> {
    let balance = RetrieveForMyAccountBalance::new().customize().send_blocking(&Arrived(bytes)).ok()?;
    let amounts = |list: &[stripe_core::BalanceAmount]| {
        list.iter().map(|of| Some((currency(&of.currency)?, of.amount))).collect::<Option<_>>()
    };
    Some(BalanceObject {
        mode: mode(balance.livemode),
        available: amounts(&balance.available)?,
        pending: amounts(&balance.pending)?,
    })
}

fn currency(currency: &stripe_types::Currency) -> Option<Currency> {
    Currency::parse(&currency.to_string()).ok()
}

const fn mode(livemode: bool) -> Mode {
    if livemode { Mode::Live } else { Mode::Test }
}
