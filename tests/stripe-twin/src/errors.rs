//! Stripe's refusals: one constructor for each, with the status, type, code and wording that Stripe uses.
//! Called by whoever refuses. Invariant: whether a refusal counts as executed is decided by the caller, not here.

use serde_json::{Value, json};

/// One error answer of Stripe's.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
}

impl ApiError {
    fn new(status: u16, kind: &'static str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { status, kind, code, message: message.into(), param: None }
    }

    fn request(status: u16, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", code, message)
    }

    fn on(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    /// The JSON body.
    #[must_use]
    pub(crate) fn body(&self, request_id: &str, livemode: bool) -> Value {
        let mut error = json!({ "message": self.message, "type": self.kind });
        if let Some(code) = self.code {
            error["code"] = code.into();
            error["doc_url"] = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")).into();
        }
        if let Some(param) = &self.param {
            error["param"] = param.as_str().into();
        }
        if self.status != 401 {
            let mode = if livemode { "" } else { "test/" };
            let url = format!("https://dashboard.stripe.com/{mode}logs/{request_id}?t=0");
            error["request_log_url"] = url.into();
        }
        json!({ "error": error })
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::request(400, Some("parameter_missing"), format!("Missing required param: {name}.")).on(name)
    }

    pub(crate) fn empty_parameter(name: &str) -> Self {
        let text = format!(
            "You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; \
             however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value."
        );
        Self::request(400, Some("parameter_invalid_empty"), text).on(name)
    }

    pub(crate) fn unknown_parameter(name: &str) -> Self {
        Self::request(400, Some("parameter_unknown"), format!("Received unknown parameter: {name}")).on(name)
    }

    pub(crate) fn invalid_integer(name: &str, value: &str) -> Self {
        Self::request(400, Some("parameter_invalid_integer"), format!("Invalid integer: {value}")).on(name)
    }

    pub(crate) fn amount_below_one() -> Self {
        let text = "This value must be greater than or equal to 1.";
        Self::request(400, Some("parameter_invalid_integer"), text).on("amount")
    }

    pub(crate) fn invalid(param: &str, message: &str) -> Self {
        Self::request(400, None, message).on(param)
    }

    pub(crate) fn invalid_currency(value: &str) -> Self {
        let known = crate::currency::KNOWN.join(", ");
        let text = format!("Invalid currency: {value}. Stripe currently supports these currencies: {known}");
        Self::request(400, None, text).on("currency")
    }

    pub(crate) fn unrecognized_url(method: &str, path: &str) -> Self {
        let text = format!(
            "Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the trailing slash. \
             If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code. \
             Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
        );
        Self::request(404, None, text)
    }

    pub(crate) fn no_key() -> Self {
        let text = "You did not provide an API key. You need to provide your API key in the Authorization header, using \
                    Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication \
                    for details, or we can help at https://support.stripe.com/.";
        Self::request(401, None, text)
    }

    pub(crate) fn bad_key(key: &str) -> Self {
        Self::request(401, None, format!("Invalid API Key provided: {}", redact(key)))
    }

    pub(crate) fn no_access(key: &str, account: &str) -> Self {
        let text = format!(
            "The provided key '{}' does not have access to account '{account}' (or that account does not exist). \
             Application access may have been revoked.",
            redact(key)
        );
        Self::request(403, Some("account_invalid"), text)
    }

    pub(crate) fn no_such(what: &str, id: &str, param: &str, status: u16) -> Self {
        Self::request(status, Some("resource_missing"), format!("No such {what}: '{id}'")).on(param)
    }

    pub(crate) fn rate_limited() -> Self {
        let text =
            "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.";
        Self::request(429, Some("rate_limit"), text)
    }

    pub(crate) fn lock_timeout() -> Self {
        let text = "This object cannot be accessed right now because another API request or Stripe process is currently \
                    accessing it. If you see this error intermittently, retry the request. If you see this error frequently \
                    and are making multiple concurrent requests to a single object, make your requests serially or at a \
                    lower rate. For more details, see https://stripe.com/docs/rate-limits#object-lock-timeouts.";
        Self::request(429, Some("lock_timeout"), text)
    }

    pub(crate) fn key_too_long() -> Self {
        Self::request(400, None, "Idempotency keys must be 255 characters or less.")
    }

    pub(crate) fn key_mismatch(key: &str) -> Self {
        let text = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. \
             Try using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(400, "idempotency_error", None, text)
    }

    pub(crate) fn key_in_use(key: &str) -> Self {
        let text = format!(
            "There is currently another in-progress request using this Idempotent Key (that probably means you submitted \
             twice, and the other request is still going through): {key}. Please try again later."
        );
        Self::request(409, Some("idempotency_key_in_use"), text)
    }

    pub(crate) fn server_error() -> Self {
        let text = "Sorry! There was an error while talking to one of our backends. We have already been notified of the \
                    problem. (Your request may or may not have gone through.)";
        Self::new(500, "api_error", None, text)
    }

    pub(crate) fn twin_full() -> Self {
        Self::new(503, "api_error", None, "The Stripe twin holds as much as it was built to hold.")
    }

    pub(crate) fn balance_insufficient() -> Self {
        let text = "You have insufficient funds in your Stripe account for this payout. Your available balance is too low. \
                    You can use the /v1/balance endpoint to view your Stripe balance (for more details, see stripe.com/docs/api#balance).";
        Self::request(400, Some("balance_insufficient"), text)
    }

    pub(crate) fn payouts_not_allowed() -> Self {
        let text = "Payouts have been disabled on the connected account. Check the connected account's status to see if any \
                    additional information needs to be provided, or if payouts have been disabled for another reason.";
        Self::request(400, Some("payouts_not_allowed"), text)
    }

    pub(crate) fn bank_refused(code: &'static str) -> Self {
        let text = match code {
            "account_closed" => "The bank account provided has been closed.",
            "no_account" => "The bank account provided could not be located.",
            _ => {
                "The bank account provided can't be used for payouts. Because a payout to it failed or it was found \
                 unusable, a different bank account must be used."
            }
        };
        Self::request(400, Some(code), text)
    }

    pub(crate) fn no_external_account(currency: &str) -> Self {
        let text = format!("Sorry, you don't have any external accounts in that currency ({currency})");
        Self::request(400, None, text)
    }

    pub(crate) fn platforms_only() -> Self {
        Self::request(400, None, "The Stripe twin does this for the platform only: send no Stripe-Account header.")
    }

    pub(crate) fn not_cancelable(text: &str) -> Self {
        Self::request(400, None, text)
    }

    pub(crate) fn not_reversible(text: &str) -> Self {
        Self::request(400, None, format!("This payout cannot be reversed. {text}"))
    }

    pub(crate) fn card_declined() -> Self {
        Self::new(402, "card_error", Some("card_declined"), "Your card was declined.")
    }

    pub(crate) fn no_payment_method() -> Self {
        let text = "You cannot confirm this PaymentIntent because it's missing a payment method. To confirm the                     PaymentIntent with a payment method, include a payment_method parameter.";
        Self::request(400, Some("payment_intent_unexpected_state"), text)
    }

    pub(crate) fn intent_state(status: &str) -> Self {
        let text = format!(
            "You cannot confirm this PaymentIntent because it has already {status} after being previously confirmed."
        );
        Self::request(400, Some("payment_intent_unexpected_state"), text)
    }

    pub(crate) fn no_transfers_capability() -> Self {
        let text = "Your destination account needs to have at least one of the following capabilities enabled: transfers,                     crypto_transfers, legacy_payments";
        Self::request(400, Some("insufficient_capabilities_for_transfer"), text).on("transfer_data[destination]")
    }

    pub(crate) fn transfer_insufficient() -> Self {
        let text = "You have insufficient available funds in your Stripe account. Try adding funds directly to your                     available balance by creating Charges using the 4000000000000077 test card.";
        Self::request(400, Some("balance_insufficient"), text)
    }

    pub(crate) fn already_refunded(charge: &str) -> Self {
        Self::request(400, Some("charge_already_refunded"), format!("Charge {charge} has already been refunded."))
    }

    pub(crate) fn charge_disputed() -> Self {
        Self::request(400, Some("charge_disputed"), "This charge has been charged back and can't be refunded.")
    }

    pub(crate) fn refund_too_large(amount: i64, left: i64, currency: &str) -> Self {
        let text = format!(
            "Refund amount ({amount} {currency}) is greater than unrefunded amount on charge ({left} {currency})"
        );
        Self::request(400, None, text).on("amount")
    }

    pub(crate) fn reversal_too_large(amount: i64, left: i64) -> Self {
        let text = format!("The reversal of {amount} is more than the {left} of the transfer that isn't reversed yet.");
        Self::request(400, None, text).on("amount")
    }

    pub(crate) fn fee_refund_too_large(amount: i64, left: i64) -> Self {
        let text = format!("Refund amount ({amount}) is greater than fee amount remaining ({left})");
        Self::request(400, None, text).on("amount")
    }

    pub(crate) fn instant_unsupported() -> Self {
        let text = "The debit card or bank account provided as an external account does not support instant payouts.";
        Self::request(400, Some("instant_payouts_unsupported"), text).on("method")
    }
}

/// A key as Stripe shows it: its kind, stars, its last four.
fn redact(key: &str) -> String {
    let shown: String = key.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    let kind = ["sk_test_", "sk_live_", "rk_test_", "rk_live_"].iter().find(|kind| key.starts_with(**kind));
    format!("{}{}{shown}", kind.unwrap_or(&""), "*".repeat(20))
}
