//! The live Stripe client against servers that misbehave: what left, what is known of it, and that nothing is ever sent twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod money;
mod reads;
mod server;
mod twin;

use payout_shared::{
    currency::Currency,
    id::{AccountId, DestinationId},
};
use payoutd::{
    clock::{Clock, ManualClock},
    stripe::{Limits, LiveStripe, MoneyRequest, Settings, create_body, limits::Rates, wire},
};
use secrecy::SecretString;

const START_MS: i64 = 1_796_104_800_000;
const KEY: &str = "payoutd:test:acct_1:usd:2026-12-01#1:create:1:1";

struct World {
    clock: Clock,
    hand: ManualClock,
    limits: Limits,
    stripe: LiveStripe,
}

fn world(base: &str) -> World {
    let (clock, hand) = Clock::manual(START_MS);
    let limits = Limits::new(Rates::default(), clock.clone());
    let settings = Settings {
        key: SecretString::from("sk_test_123"),
        base: base.to_owned(),
        connect_timeout_ms: 5_000,
        request_timeout_ms: 30_000,
    };
    let stripe = LiveStripe::new(&settings, clock.clone(), limits.clone()).unwrap();
    World { clock, hand, limits, stripe }
}

impl World {
    fn create(&self) -> MoneyRequest {
        let body = create_body(KEY, 1_100, Currency::parse("usd").unwrap(), &DestinationId::new("ba_1"));
        MoneyRequest {
            account: AccountId::new("acct_1"),
            key: KEY.to_owned(),
            path: wire::CREATE_PATH.to_owned(),
            body,
            send_before: self.clock.boot().plus_ms(8_000),
        }
    }
}

/// A payout as Stripe answers it.
fn payout() -> serde_json::Value {
    serde_json::json!({
        "id": "po_1", "object": "payout", "amount": 1100, "application_fee": null, "application_fee_amount": null,
        "arrival_date": 1_796_256_000, "automatic": false, "balance_transaction": "txn_1", "created": 1_796_104_801,
        "currency": "usd", "description": null, "destination": "ba_1", "failure_balance_transaction": null,
        "failure_code": null, "failure_message": null, "livemode": false, "metadata": {"payoutd_key": KEY},
        "method": "standard", "original_payout": null, "payout_method": null, "reconciliation_status": "not_applicable",
        "reversed_by": null, "source_type": "card", "statement_descriptor": null, "status": "pending", "trace_id": null,
        "type": "bank_account"
    })
}
