//! Where a request goes: every endpoint the twin has, as one table of method and path.
//! Asked by the world before anything else. Invariant: a route's text is also the class that limits and counters go by.

use http::Method;

/// One endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    PayoutCreate,
    PayoutList,
    PayoutRetrieve,
    PayoutUpdate,
    PayoutCancel,
    PayoutReverse,
    Balance,
    BalanceSettings,
    BalanceSettingsUpdate,
    TxnList,
    TxnRetrieve,
    AccountOwn,
    AccountList,
    AccountRetrieve,
    AccountUpdate,
    CapabilityList,
    ExternalList,
    ExternalRetrieve,
    AccountLink,
    IntentCreate,
    IntentConfirm,
    IntentList,
    IntentRetrieve,
    ChargeList,
    ChargeRetrieve,
    RefundCreate,
    RefundList,
    RefundRetrieve,
    TransferCreate,
    TransferList,
    TransferRetrieve,
    ReversalCreate,
    ReversalList,
    FeeList,
    FeeRetrieve,
    FeeRefundCreate,
    DisputeList,
    DisputeRetrieve,
    DisputeUpdate,
    DisputeClose,
    EventList,
    EventRetrieve,
    HookCreate,
    HookList,
    HookRetrieve,
    HookUpdate,
    HookDelete,
    Unknown,
}

/// Every endpoint; `:id` stands for one segment.
const TABLE: [(Route, &str); 47] = [
    (Route::PayoutCreate, crate::limits::PAYOUT_CREATE),
    (Route::PayoutList, "GET /v1/payouts"),
    (Route::PayoutRetrieve, "GET /v1/payouts/:id"),
    (Route::PayoutUpdate, "POST /v1/payouts/:id"),
    (Route::PayoutCancel, "POST /v1/payouts/:id/cancel"),
    (Route::PayoutReverse, "POST /v1/payouts/:id/reverse"),
    (Route::Balance, "GET /v1/balance"),
    (Route::BalanceSettings, "GET /v1/balance_settings"),
    (Route::BalanceSettingsUpdate, "POST /v1/balance_settings"),
    (Route::TxnList, "GET /v1/balance_transactions"),
    (Route::TxnRetrieve, "GET /v1/balance_transactions/:id"),
    (Route::AccountOwn, "GET /v1/account"),
    (Route::AccountList, "GET /v1/accounts"),
    (Route::AccountRetrieve, "GET /v1/accounts/:id"),
    (Route::AccountUpdate, "POST /v1/accounts/:id"),
    (Route::CapabilityList, "GET /v1/accounts/:id/capabilities"),
    (Route::ExternalList, "GET /v1/accounts/:id/external_accounts"),
    (Route::ExternalRetrieve, "GET /v1/accounts/:id/external_accounts/:id"),
    (Route::AccountLink, "POST /v1/account_links"),
    (Route::IntentCreate, "POST /v1/payment_intents"),
    (Route::IntentConfirm, "POST /v1/payment_intents/:id/confirm"),
    (Route::IntentList, "GET /v1/payment_intents"),
    (Route::IntentRetrieve, "GET /v1/payment_intents/:id"),
    (Route::ChargeList, "GET /v1/charges"),
    (Route::ChargeRetrieve, "GET /v1/charges/:id"),
    (Route::RefundCreate, "POST /v1/refunds"),
    (Route::RefundList, "GET /v1/refunds"),
    (Route::RefundRetrieve, "GET /v1/refunds/:id"),
    (Route::TransferCreate, "POST /v1/transfers"),
    (Route::TransferList, "GET /v1/transfers"),
    (Route::TransferRetrieve, "GET /v1/transfers/:id"),
    (Route::ReversalCreate, "POST /v1/transfers/:id/reversals"),
    (Route::ReversalList, "GET /v1/transfers/:id/reversals"),
    (Route::FeeList, "GET /v1/application_fees"),
    (Route::FeeRetrieve, "GET /v1/application_fees/:id"),
    (Route::FeeRefundCreate, "POST /v1/application_fees/:id/refunds"),
    (Route::DisputeList, "GET /v1/disputes"),
    (Route::DisputeRetrieve, "GET /v1/disputes/:id"),
    (Route::DisputeUpdate, "POST /v1/disputes/:id"),
    (Route::DisputeClose, "POST /v1/disputes/:id/close"),
    (Route::EventList, "GET /v1/events"),
    (Route::EventRetrieve, "GET /v1/events/:id"),
    (Route::HookCreate, "POST /v1/webhook_endpoints"),
    (Route::HookList, "GET /v1/webhook_endpoints"),
    (Route::HookRetrieve, "GET /v1/webhook_endpoints/:id"),
    (Route::HookUpdate, "POST /v1/webhook_endpoints/:id"),
    (Route::HookDelete, "DELETE /v1/webhook_endpoints/:id"),
];

/// A route with the ids that stood in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) route: Route,
    ids: Vec<String>,
    class: &'static str,
}

impl Endpoint {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').collect();
        for (route, class) in TABLE {
            let (verb, pattern) = class.split_once(' ').unwrap_or_default();
            if verb == method.as_str()
                && let Some(ids) = captured(pattern, &parts)
            {
                return Self { route, ids, class };
            }
        }
        Self { route: Route::Unknown, ids: Vec::new(), class: "unknown" }
    }

    /// The class that limits and counters go by.
    pub(crate) fn class(&self) -> &'static str {
        self.class
    }

    /// The nth id in the path.
    pub(crate) fn id(&self, n: usize) -> &str {
        self.ids.get(n).map(String::as_str).unwrap_or_default()
    }

    /// Whether it moves a payout's money, and so meets the faults of money requests.
    pub(crate) fn is_money(&self) -> bool {
        matches!(self.route, Route::PayoutCreate | Route::PayoutCancel | Route::PayoutReverse)
    }

    /// Whether it changes anything.
    pub(crate) fn is_write(&self) -> bool {
        self.route != Route::Unknown && !self.class.starts_with("GET ")
    }

    /// The connected account that its path names.
    pub(crate) fn account(&self) -> Option<&str> {
        let names_one = matches!(
            self.route,
            Route::AccountRetrieve
                | Route::AccountUpdate
                | Route::CapabilityList
                | Route::ExternalList
                | Route::ExternalRetrieve
        );
        names_one.then(|| self.id(0))
    }
}

fn captured(pattern: &str, parts: &[&str]) -> Option<Vec<String>> {
    let mut ids = Vec::new();
    let mut parts = parts.iter();
    for wanted in pattern.split('/') {
        let found = parts.next()?;
        match wanted {
            ":id" if found.is_empty() => return None,
            ":id" => ids.push((*found).to_owned()),
            _ if wanted != *found => return None,
            _ => {}
        }
    }
    parts.next().is_none().then_some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_route_and_a_trailing_slash_none() {
        let of = |text: &str| {
            let (verb, path) = text.split_once(' ').unwrap_or_default();
            Endpoint::of(&verb.parse().unwrap_or_default(), path)
        };
        let reverse = of("POST /v1/payouts/po_1/reverse");
        assert_eq!(
            (reverse.route, reverse.id(0), reverse.class()),
            (Route::PayoutReverse, "po_1", "POST /v1/payouts/:id/reverse")
        );
        assert_eq!(of("GET /v1/payouts/").route, Route::Unknown);
        assert_eq!(of("PUT /v1/payouts").route, Route::Unknown);
        assert_eq!(of("GET /v1/accounts/acct_1/external_accounts/ba_1").account(), Some("acct_1"));
        for (route, class) in TABLE {
            assert_eq!(of(&class.replace(":id", "x")).route, route);
        }
    }
}
