//! Every request that changes something, read from its parameters and carried out on the world.
//! `Act::read` checks the parameters alone and changes nothing; `World::act` executes. Called by the orders. Invariant:
//! whatever `read` refuses is never stored under a key.

use serde_json::{Value, json};

use crate::clock::Now;
use crate::create::{NewPayout, Origin};
use crate::currency::KNOWN;
use crate::errors::ApiError;
use crate::events::Cause;
use crate::form::{Form, check_metadata};
use crate::hooks::{HookChange, NewHook};
use crate::links::NewLink;
use crate::market::{Metadata, NewIntent};
use crate::refund::{NewRefund, NewReversal};
use crate::routes::{Endpoint, Route};
use crate::sell::NewTransfer;
use crate::settings::SettingsChange;
use crate::world::World;
use crate::{dispute, shape, shape_market};

/// A change that is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    CreatePayout(Box<NewPayout>),
    UpdatePayout(String, Metadata),
    CancelPayout(String),
    ReversePayout(String, Metadata),
    ChangeSettings(Option<String>, Box<SettingsChange>),
    LinkAccount(NewLink),
    CreateIntent(Box<NewIntent>),
    ConfirmIntent(String, Option<String>),
    Refund(NewRefund),
    Transfer(Box<NewTransfer>),
    ReverseTransfer(String, NewReversal),
    RefundFee(String, Option<i64>, Metadata),
    AnswerDispute(String, bool, Metadata),
    CloseDispute(String),
    CreateHook(NewHook),
    ChangeHook(String, HookChange),
    DeleteHook(String),
}

/// Who asks, as far as it matters to what is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) account: &'a str,
    pub(crate) origin: Origin<'a>,
}

fn metadata(form: &Form) -> Result<Metadata, ApiError> {
    let metadata = form.map("metadata");
    check_metadata(&metadata)?;
    Ok(metadata)
}

fn currency(form: &Form) -> Result<String, ApiError> {
    let currency = form.required("currency")?.to_ascii_lowercase();
    if KNOWN.contains(&currency.as_str()) { Ok(currency) } else { Err(ApiError::invalid_currency(&currency)) }
}

fn only(form: &Form, known: &[&str]) -> Result<(), ApiError> {
    let mut known = known.to_vec();
    known.push("expand");
    crate::read::unexpanded(form, &known)
}

impl Act {
    /// Checks the parameters alone.
    pub(crate) fn read(endpoint: &Endpoint, form: &Form) -> Result<Self, ApiError> {
        let id = || endpoint.id(0).to_owned();
        match endpoint.route {
            Route::PayoutCreate => Ok(Self::CreatePayout(Box::new(crate::create::validate(form)?))),
            Route::PayoutUpdate => {
                only(form, &["metadata"])?;
                Ok(Self::UpdatePayout(id(), metadata(form)?))
            }
            Route::PayoutCancel => only(form, &[]).map(|()| Self::CancelPayout(id())),
            Route::PayoutReverse => {
                only(form, &["metadata"])?;
                Ok(Self::ReversePayout(id(), metadata(form)?))
            }
            Route::AccountUpdate => {
                let change = SettingsChange::of_account(form)?;
                Ok(Self::ChangeSettings(Some(id()), Box::new(change)))
            }
            Route::BalanceSettingsUpdate => Ok(Self::ChangeSettings(None, Box::new(SettingsChange::of_balance(form)?))),
            Route::AccountLink => Ok(Self::LinkAccount(NewLink::read(form)?)),
            Route::IntentCreate => Ok(Self::CreateIntent(Box::new(intent(form)?))),
            Route::IntentConfirm => {
                only(form, &["payment_method", "return_url"])?;
                Ok(Self::ConfirmIntent(id(), form.text("payment_method")))
            }
            Route::RefundCreate => Ok(Self::Refund(refund(form)?)),
            Route::TransferCreate => Ok(Self::Transfer(Box::new(transfer(form)?))),
            Route::ReversalCreate => Ok(Self::ReverseTransfer(id(), reversal(form)?)),
            Route::FeeRefundCreate => {
                only(form, &["amount", "metadata"])?;
                Ok(Self::RefundFee(id(), form.amount("amount")?, metadata(form)?))
            }
            Route::DisputeUpdate => {
                only(form, &["evidence", "metadata", "submit"])?;
                // Stripe submits unless told not to, once there is evidence.
                let has_evidence = !form.map("evidence").is_empty();
                let submit = form.boolean("submit")?.unwrap_or(has_evidence);
                Ok(Self::AnswerDispute(id(), submit, metadata(form)?))
            }
            Route::DisputeClose => only(form, &[]).map(|()| Self::CloseDispute(id())),
            Route::HookCreate => Ok(Self::CreateHook(NewHook::read(form)?)),
            Route::HookUpdate => Ok(Self::ChangeHook(id(), HookChange::read(form)?)),
            Route::HookDelete => Ok(Self::DeleteHook(id())),
            _ => Err(ApiError::unrecognized_url("POST", "")),
        }
    }
}

impl Act {
    /// Whether only the platform itself may ask for it: the twin knows destination charges, no direct ones.
    fn is_the_platforms(&self) -> bool {
        match self {
            Self::CreatePayout(_)
            | Self::UpdatePayout(..)
            | Self::CancelPayout(_)
            | Self::ReversePayout(..)
            | Self::ChangeSettings(..) => false,
            Self::LinkAccount(_)
            | Self::CreateIntent(_)
            | Self::ConfirmIntent(..)
            | Self::Refund(_)
            | Self::Transfer(_)
            | Self::ReverseTransfer(..)
            | Self::RefundFee(..)
            | Self::AnswerDispute(..)
            | Self::CloseDispute(_)
            | Self::CreateHook(_)
            | Self::ChangeHook(..)
            | Self::DeleteHook(_) => true,
        }
    }
}

fn intent(form: &Form) -> Result<NewIntent, ApiError> {
    const PARAMS: [&str; 16] = [
        "amount",
        "application_fee_amount",
        "automatic_payment_methods",
        "capture_method",
        "confirm",
        "currency",
        "description",
        "metadata",
        "off_session",
        "on_behalf_of",
        "payment_method",
        "payment_method_types",
        "return_url",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    ];
    only(form, &PARAMS)?;
    form.required("amount")?;
    let amount = form.amount("amount")?.unwrap_or_default();
    let (fee, transfer_amount) = (form.integer("application_fee_amount")?, form.amount("transfer_data[amount]")?);
    let destination = form.text("transfer_data[destination]");
    if fee.is_some_and(|fee| fee < 0 || fee > amount) {
        let text = "The application fee must be positive and can't be greater than the amount of the charge.";
        return Err(ApiError::invalid("application_fee_amount", text));
    }
    if fee.is_some() && destination.is_none() {
        let text = "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment \
                    (using an OAuth key or Stripe-Account header) or destination payment (using \
                    `transfer_data[destination]`).";
        return Err(ApiError::invalid("application_fee_amount", text));
    }
    if fee.is_some() && transfer_amount.is_some() {
        let text = "You may only pass one of `application_fee_amount` and `transfer_data[amount]`.";
        return Err(ApiError::invalid("transfer_data[amount]", text));
    }
    if transfer_amount.is_some_and(|moved| moved > amount) {
        return Err(ApiError::invalid("transfer_data[amount]", "The transfer can't be greater than the charge."));
    }
    if form.get("capture_method") == Some("manual") {
        return Err(ApiError::invalid("capture_method", "The twin captures every charge at once."));
    }
    Ok(NewIntent {
        amount,
        currency: currency(form)?,
        fee,
        destination,
        transfer_amount,
        payment_method: form.text("payment_method"),
        confirm: form.boolean("confirm")?.unwrap_or(false),
        description: form.text("description"),
        transfer_group: form.text("transfer_group"),
        on_behalf_of: form.text("on_behalf_of"),
        metadata: metadata(form)?,
    })
}

fn refund(form: &Form) -> Result<NewRefund, ApiError> {
    const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];
    const PARAMS: [&str; 7] =
        ["amount", "charge", "metadata", "payment_intent", "reason", "refund_application_fee", "reverse_transfer"];
    only(form, &PARAMS)?;
    let Some(of) = form.text("charge").or_else(|| form.text("payment_intent")) else {
        let text = "One of the following params should be provided for this request: payment_intent or charge.";
        return Err(ApiError::invalid("charge", text));
    };
    let reason = form.text("reason");
    if reason.as_deref().is_some_and(|reason| !REASONS.contains(&reason)) {
        let text = "Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer";
        return Err(ApiError::invalid("reason", text));
    }
    Ok(NewRefund {
        of,
        amount: form.amount("amount")?,
        reverse_transfer: form.boolean("reverse_transfer")?.unwrap_or(false),
        refund_fee: form.boolean("refund_application_fee")?.unwrap_or(false),
        reason,
        metadata: metadata(form)?,
    })
}

fn transfer(form: &Form) -> Result<NewTransfer, ApiError> {
    only(form, &["amount", "currency", "description", "destination", "metadata", "source_type", "transfer_group"])?;
    form.required("amount")?;
    Ok(NewTransfer {
        amount: form.amount("amount")?.unwrap_or_default(),
        currency: currency(form)?,
        destination: form.required("destination")?.to_owned(),
        description: form.text("description"),
        transfer_group: form.text("transfer_group"),
        metadata: metadata(form)?,
    })
}

fn reversal(form: &Form) -> Result<NewReversal, ApiError> {
    only(form, &["amount", "description", "metadata", "refund_application_fee"])?;
    Ok(NewReversal {
        amount: form.amount("amount")?,
        refund_fee: form.boolean("refund_application_fee")?.unwrap_or(false),
        metadata: metadata(form)?,
    })
}

impl World {
    /// Executes; the object, or Stripe's refusal.
    pub(crate) fn act(&mut self, now: Now, act: &Act, asker: Asker<'_>) -> Result<Value, ApiError> {
        let livemode = self.rules.livemode;
        let request_id = Some(asker.origin.request_id).filter(|id| !id.is_empty());
        let cause = Cause { request_id, idempotency_key: asker.origin.key };
        let account = asker.account;
        if act.is_the_platforms() && account != crate::PLATFORM_ACCOUNT {
            return Err(ApiError::platforms_only());
        }
        match act {
            Act::CreatePayout(new) => {
                let place = self.create_payout(now, account, new, asker.origin)?;
                self.stats.executed += 1;
                Ok(self.payout_value(place))
            }
            Act::UpdatePayout(id, metadata) => self.update_payout(now, account, (id, metadata), cause),
            Act::CancelPayout(id) => self.cancel_payout(now, account, id, cause),
            Act::ReversePayout(id, metadata) => self.reverse_payout(now, account, (id, metadata), asker.origin),
            Act::ChangeSettings(Some(id), change) => {
                self.change_settings(now, id, change, cause)?;
                let account = self.account_of(id)?;
                Ok(shape::account(account, id == crate::PLATFORM_ACCOUNT))
            }
            Act::ChangeSettings(None, change) => {
                self.change_settings(now, account, change, cause)?;
                Ok(crate::settings::balance_settings(self.account_of(account)?))
            }
            Act::LinkAccount(new) => self.link_account(now, new),
            Act::CreateIntent(new) => {
                let place = self.create_intent(now, (**new).clone(), cause)?;
                Ok(shape_market::intent(&self.market.intents.rows[place], livemode))
            }
            Act::ConfirmIntent(id, method) => {
                let place = self.market.intents.place(id);
                let place = place.ok_or_else(|| ApiError::no_such("payment_intent", id, "intent", 404))?;
                self.confirm_intent(now, place, method.clone(), cause)?;
                Ok(shape_market::intent(&self.market.intents.rows[place], livemode))
            }
            Act::Refund(new) => self.refund(now, new, cause).map(|place| shape_market::refund(&self.market, place)),
            Act::Transfer(new) => {
                let place = self.create_transfer(now, new, cause)?;
                Ok(shape_market::transfer(&self.market, place, livemode))
            }
            Act::ReverseTransfer(id, new) => {
                let place = self.reverse_transfer(now, id, new, cause)?;
                Ok(shape_market::reversal(&self.market, place))
            }
            Act::RefundFee(id, amount, metadata) => {
                let place = self.refund_fee(now, id, (*amount, metadata.clone()), cause)?;
                Ok(shape_market::fee_refund(&self.market, place))
            }
            Act::AnswerDispute(id, submit, metadata) => {
                let place = self.answer_dispute(now, id, (*submit, metadata.clone()), cause)?;
                Ok(self.dispute_value(place))
            }
            Act::CloseDispute(id) => {
                let place = self.market.disputes.place(id);
                let place = place.ok_or_else(|| ApiError::no_such("dispute", id, "dispute", 404))?;
                self.move_dispute(now, place, dispute::DisputeStatus::Lost, cause)?;
                Ok(self.dispute_value(place))
            }
            Act::CreateHook(new) => self.create_hook(now, new),
            Act::ChangeHook(id, change) => self.change_hook(id, change),
            Act::DeleteHook(id) => {
                self.delete_hook(id)?;
                Ok(json!({ "id": id, "object": "webhook_endpoint", "deleted": true }))
            }
        }
    }

    pub(crate) fn payout_value(&self, place: usize) -> Value {
        shape::payout(&self.payouts[place], self.rules.livemode)
    }

    pub(crate) fn dispute_value(&self, place: usize) -> Value {
        shape_market::dispute_with(&self.market, place, self.rules.livemode, &self.dispute_txns(place))
    }

    pub(crate) fn account_of(&self, id: &str) -> Result<&crate::account::Account, ApiError> {
        self.accounts.get(id).ok_or_else(|| ApiError::no_such("account", id, "account", 404))
    }
}
