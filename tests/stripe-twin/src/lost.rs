//! Webhooks that never reach their endpoint: which objects each of them would have told of. For those who hold their own books against
//! ours: what nobody was told of, nobody can have booked.
//! Called by `events` and `control`. Invariant: one row for each delivery to an endpoint that a fault took away.

use serde::Serialize;
use serde_json::Value;

use crate::twin::Twin;

/// A delivery that never was.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Lost {
    /// `payment_intent.succeeded`, …
    kind: String,
    /// Its object, and the charge that the object is about.
    about: Vec<String>,
}

/// Where Stripe's objects name the charge that they are about.
const CHARGES: [&str; 4] = ["latest_charge", "source_transaction", "originating_transaction", "charge"];

impl Lost {
    pub(crate) fn of(kind: &str, event: &Value) -> Self {
        let object = &event["data"]["object"];
        let names = ["id"].iter().chain(&CHARGES).filter_map(|name| object[*name].as_str());
        Self { kind: kind.to_owned(), about: names.map(str::to_owned).collect() }
    }
}

impl Twin {
    /// `GET /_twin/lost`
    pub(crate) fn lost(&self) -> Vec<Lost> {
        self.advance();
        self.world().lost.clone()
    }
}
