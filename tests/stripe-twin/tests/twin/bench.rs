//! A twin with a manual clock and a few accounts, and short words to talk to it.

use http::{Request, Response};
use serde_json::Value;
use stripe_twin::{AccountSpec, BankSpec, Clock, LimitProfile, Outcome, Rules, TEST_KEY, Twin, Wire};

type Body = bytes::Bytes;

/// 2026-01-05 06:00 UTC, a Monday.
pub(crate) const START_MS: i64 = 1_767_592_800_000;

pub(crate) struct Bench {
    pub(crate) twin: Twin,
}

pub(crate) fn rules() -> Rules {
    Rules { settle_ms: 1000, ..Rules::default() }
}

impl Bench {
    pub(crate) fn new(faults: &str) -> Self {
        Self::with(rules(), faults)
    }

    pub(crate) fn limited() -> Self {
        Self::with(Rules { limits: LimitProfile::Live, ..rules() }, "")
    }

    pub(crate) fn with(rules: Rules, faults: &str) -> Self {
        let twin = Twin::new(rules, faults.parse().unwrap(), Clock::manual(START_MS));
        let mut accounts = vec![
            AccountSpec::new("acct_a", "US", "usd", 10_000),
            AccountSpec::new("acct_b", "DE", "eur", 10_000),
            AccountSpec::new("acct_failing", "US", "usd", 10_000),
            AccountSpec::new("acct_closed", "US", "usd", 10_000),
            AccountSpec::new("acct_disabled", "US", "usd", 10_000),
        ];
        accounts[2].banks =
            Some(vec![BankSpec { fails_with: Some("could_not_process".into()), ..BankSpec::default() }]);
        accounts[3].banks = Some(vec![BankSpec { refused_with: Some("account_closed".into()), ..BankSpec::default() }]);
        accounts[4].payouts_enabled = false;
        twin.check_openapi(true);
        twin.add_accounts(accounts).unwrap();
        Self { twin }
    }

    /// A change asked of the API, with or without an account and a key.
    pub(crate) fn post(&self, account: &str, path: &str, key: &str, body: &str) -> Answer {
        let mut request = pay(account, key, body);
        *request.uri_mut() = path.parse().unwrap();
        self.ask(&request)
    }

    /// The rows of a list.
    pub(crate) fn rows(&self, account: &str, path: &str) -> Vec<Value> {
        let answer = self.get(account, path);
        assert_eq!(answer.status, 200, "{:?}", answer.json);
        answer.json["data"].as_array().unwrap().clone()
    }

    /// Sells for this much, available at once, a tenth for the platform; the charge.
    pub(crate) fn sale(&self, account: &str, amount: i64, currency: &str) -> Value {
        let body = format!(
            "amount={amount}&currency={currency}&confirm=true&payment_method=pm_card_bypassPending\
             &application_fee_amount={}&transfer_data[destination]={account}",
            amount / 10
        );
        let intent = self.post("", "/v1/payment_intents", "", &body);
        assert_eq!(intent.status, 200, "{:?}", intent.json);
        self.get("", &format!("/v1/charges/{}", intent.json["latest_charge"].as_str().unwrap())).json
    }

    /// `(available, pending)` in the first currency.
    pub(crate) fn balance(&self, account: &str) -> (i64, i64) {
        let balance = self.get(account, "/v1/balance").json;
        (balance["available"][0]["amount"].as_i64().unwrap(), balance["pending"][0]["amount"].as_i64().unwrap())
    }

    pub(crate) fn conserved(&self) {
        let sums = self.twin.check_conservation();
        assert!(sums.ok, "{:?}", sums.violations);
    }

    pub(crate) fn pay(&self, account: &str, key: &str, body: &str) -> Answer {
        answer(self.twin.handle(&pay(account, key, body)))
    }

    pub(crate) fn get(&self, account: &str, path: &str) -> Answer {
        answer(self.twin.handle(&get(account, path)))
    }

    pub(crate) fn ask(&self, request: &Request<Body>) -> Answer {
        answer(self.twin.handle(request))
    }

    pub(crate) fn control(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path).body(Body::copy_from_slice(body.as_bytes())).unwrap();
        self.ask(&request)
    }

    /// Lets time pass on both clocks.
    pub(crate) fn wait(&self, ms: i64) {
        self.twin.clock().tick(ms);
        self.twin.advance();
    }

    pub(crate) fn executed(&self) -> usize {
        let sums = self.twin.check_conservation();
        assert!(sums.ok, "{:?}", sums.violations);
        self.twin.ledger().len()
    }

    pub(crate) fn available(&self, account: &str) -> i64 {
        self.get(account, "/v1/balance?").json["available"][0]["amount"].as_i64().unwrap()
    }

    pub(crate) fn event_kinds(&self) -> Vec<String> {
        self.twin.take_events().into_iter().map(|event| event.kind).collect()
    }
}

/// Whatever a test did, it spoke as Stripe's own description says.
impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let found = self.twin.stats().openapi;
            assert!(found.violations.is_empty(), "{:#?}", found.violations);
            let later = include_str!("../../openapi/later.txt");
            let unlisted: Vec<_> =
                found.later.iter().filter(|name| !later.lines().any(|line| line == **name)).collect();
            assert!(unlisted.is_empty(), "neither in the copy nor in later.txt: {unlisted:#?}");
        }
    }
}

pub(crate) fn pay(account: &str, key: &str, body: &str) -> Request<Body> {
    let request = Request::post("/v1/payouts")
        .header("authorization", format!("Bearer {TEST_KEY}"))
        .header("content-type", "application/x-www-form-urlencoded");
    let request = if account.is_empty() { request } else { request.header("stripe-account", account) };
    let request = if key.is_empty() { request } else { request.header("idempotency-key", key) };
    request.body(Body::copy_from_slice(body.as_bytes())).unwrap()
}

pub(crate) fn get(account: &str, path: &str) -> Request<Body> {
    let request = Request::get(path).header("authorization", format!("Bearer {TEST_KEY}"));
    let request = if account.is_empty() { request } else { request.header("stripe-account", account) };
    request.body(Body::new()).unwrap()
}

/// A whole answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Value,
    response: Response<Body>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn id(&self) -> &str {
        self.json["id"].as_str().unwrap()
    }

    pub(crate) fn error(&self, field: &str) -> &str {
        self.json["error"][field].as_str().unwrap_or_default()
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.response.body()
    }
}

pub(crate) fn answer(outcome: Outcome) -> Answer {
    match outcome.wire {
        Wire::Answer(response) => taken_apart(response),
        other => panic!("no answer but {other:?}"),
    }
}

pub(crate) fn taken_apart(response: Response<Body>) -> Answer {
    let json = serde_json::from_slice(response.body()).unwrap_or_default();
    Answer { status: response.status().as_u16(), json, response }
}
