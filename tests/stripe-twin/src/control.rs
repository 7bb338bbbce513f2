//! The twin's own endpoints, under `/_twin`: what it executed and counted, and how tests move it.
//! Called by the twin for every path under `/_twin`; open to whoever can reach it. Invariant: none of them is Stripe's.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::AccountSpec;
use crate::books::AccountChange;
use crate::faults::FaultPlan;
use crate::twin::{Twin, WebhookTarget};

pub(crate) type Answered = Result<Value, (u16, String)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveClock {
    offset_ms: Option<i64>,
    advance_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFaults {
    faults: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Accounts {
    Many(Vec<AccountSpec>),
    Wrapped { accounts: Vec<AccountSpec> },
    One(Box<AccountSpec>),
}

impl Twin {
    pub(crate) fn control(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().trim_start_matches("/_twin").trim_matches('/').to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        let (get, body) = (request.method() == Method::GET, request.body());
        let answered = match (get, parts.as_slice()) {
            (true, ["ledger"]) => return ndjson(request, &self.ledger_rows()),
            (true, ["stats"]) => to_value(&self.stats()),
            (true, ["conservation"]) => to_value(&self.check_conservation()),
            (true, ["clock"]) => Ok(self.clock_value()),
            (true, ["faults"]) => to_value(&self.faults().by_name()),
            (true, ["books"]) => Ok(self.books()),
            (true, ["moves"]) => Ok(self.moves(request.uri().query())),
            (true, ["disputes"]) => Ok(self.disputes()),
            (true, ["lost"]) => to_value(&self.lost()),
            (true, ["life"]) => to_value(&self.life()),
            (true, ["health"]) => Ok(json!({ "ok": true })),
            (false, ["clock"]) => self.move_clock(body),
            (false, ["faults"]) => self.change_faults(body),
            (false, ["webhooks"]) => self.change_webhook(body),
            (false, ["accounts"]) => self.take_accounts(body),
            (false, ["accounts", id]) => self.change_one(id, body),
            _ => {
                let told = if get { None } else { self.back_door(&parts, body) };
                let none = || Err((404, format!("the twin has no {} {}", request.method(), request.uri().path())));
                told.unwrap_or_else(none)
            }
        };
        let (status, value) = match answered {
            Ok(value) => (200, value),
            Err((status, message)) => (status, json!({ "error": message })),
        };
        json_response(status, value.to_string().into(), "application/json")
    }

    fn clock_value(&self) -> Value {
        let now = self.clock().now();
        json!({ "date_ms": now.date_ms, "wall_ms": now.wall_ms, "offset_ms": self.clock().offset_ms() })
    }

    fn move_clock(&self, body: &Bytes) -> Answered {
        let wanted: MoveClock = parse(body)?;
        if let Some(offset_ms) = wanted.offset_ms {
            self.clock().set_offset_ms(offset_ms);
        }
        if let Some(by_ms) = wanted.advance_ms {
            self.clock().advance_date_ms(by_ms);
        }
        Ok(self.clock_value())
    }

    fn change_faults(&self, body: &Bytes) -> Answered {
        let wanted: SetFaults = parse(body)?;
        let plan: FaultPlan = wanted.faults.parse().map_err(|error| (400, error))?;
        let odds = plan.by_name();
        let value = to_value(&odds)?;
        self.set_faults(plan);
        Ok(value)
    }

    fn change_webhook(&self, body: &Bytes) -> Answered {
        let target: WebhookTarget = parse(body)?;
        self.set_webhook(Some(target));
        Ok(json!({ "ok": true }))
    }

    fn take_accounts(&self, body: &Bytes) -> Answered {
        let specs = match parse(body)? {
            Accounts::Many(specs) | Accounts::Wrapped { accounts: specs } => specs,
            Accounts::One(spec) => vec![*spec],
        };
        let added = self.add_accounts(specs).map_err(|error| (400, error))?;
        Ok(json!({ "added": added }))
    }

    fn change_one(&self, id: &str, body: &Bytes) -> Answered {
        let change: AccountChange = parse(body)?;
        self.change_account(id, change).map_err(|error| (404, error))?;
        Ok(json!({ "ok": true }))
    }
}

/// The ledger as an array, or line by line with `?format=ndjson`.
fn ndjson(request: &Request<Bytes>, rows: &[crate::payout::Payout]) -> Response<Bytes> {
    if request.uri().query().unwrap_or_default().contains("ndjson") {
        let lines: String =
            rows.iter().filter_map(|row| serde_json::to_string(row).ok()).map(|row| row + "\n").collect();
        return json_response(200, lines.into(), "application/x-ndjson");
    }
    let body = serde_json::to_vec(rows).unwrap_or_default();
    json_response(200, body.into(), "application/json")
}

fn json_response(status: u16, body: Bytes, kind: &'static str) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(crate) fn parse<T: for<'a> Deserialize<'a>>(body: &Bytes) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, format!("can't read the body: {error}")))
}

pub(crate) fn to_value(what: &impl serde::Serialize) -> Answered {
    serde_json::to_value(what).map_err(|error| (500, error.to_string()))
}
