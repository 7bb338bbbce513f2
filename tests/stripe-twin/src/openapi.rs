//! Requests and answers against a copy of Stripe's own OpenAPI description: necessary, not sufficient.
//! Asked by the world when the check is on. Invariant: it only finds; no request is answered differently because of it.
//! The copy is of 2023, so fields that Stripe added later are no violation: they are listed by name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::form::Form;

static COPY: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../openapi/spec3.connect.slim.json")).unwrap_or_default());

/// Operations by `METHOD /v1/path/:id`.
static OPERATIONS: LazyLock<HashMap<String, &'static Value>> = LazyLock::new(|| {
    let mut found = HashMap::new();
    for (path, methods) in COPY["paths"].as_object().into_iter().flatten() {
        let plain: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { ":id" } else { part }).collect();
        for (method, operation) in methods.as_object().into_iter().flatten() {
            found.insert(format!("{} {}", method.to_uppercase(), plain.join("/")), operation);
        }
    }
    found
});

/// Fields that may be null since, as Stripe's own newer examples show.
const NULL_LATER: [&str; 1] = ["account_bacs_debit_payments_settings.display_name"];

/// Deepest nesting that is looked into.
const DEPTH_MAX: usize = 24;

/// What the check found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Findings {
    /// Requests that were accepted and checked.
    pub requests: u64,
    /// Answers checked.
    pub answers: u64,
    /// Events checked.
    pub events: u64,
    /// What doesn't fit the copy, and how often.
    pub violations: BTreeMap<String, u64>,
    /// Fields, parameters and values that the copy doesn't know.
    pub later: BTreeSet<String>,
    /// Endpoints that the copy doesn't know; their answers are checked by their object.
    pub beyond: BTreeSet<String>,
}

impl Findings {
    /// Checks a request that was accepted.
    pub(crate) fn request(&mut self, class: &str, query: &Form, form: &Form) {
        self.requests += 1;
        let Some(operation) = OPERATIONS.get(class) else {
            self.beyond.insert(class.to_owned());
            return;
        };
        let mut walk = Walk::new(true);
        let body = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
        walk.check(body, &tree(form), "form", 0);
        let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
        for (name, value) in tree(query).as_object().into_iter().flatten() {
            match parameters.iter().find(|parameter| parameter["in"] == "query" && parameter["name"] == **name) {
                Some(parameter) => walk.check(&parameter["schema"], value, &format!("query.{name}"), 0),
                None => walk.violate(&format!("query.{name}"), "is no parameter"),
            }
        }
        self.take(class, walk);
    }

    /// Checks an answer, whatever its status.
    pub(crate) fn answer(&mut self, class: &str, status: u16, body: &[u8]) {
        self.answers += 1;
        let mut walk = Walk::new(false);
        match serde_json::from_slice::<Value>(body) {
            Err(_) => walk.violate("body", "is no JSON"),
            Ok(value) => {
                let answers = OPERATIONS.get(class).map(|operation| &operation["responses"]);
                let key = if status == 200 { "200" } else { "default" };
                match answers.map(|answers| &answers[key]["content"]["application/json"]["schema"]) {
                    Some(schema) => walk.check(schema, &value, "answer", 0),
                    None if status != 200 => walk.check_named("error", &value, 0),
                    None => walk.check_by_object(&value),
                }
            }
        }
        self.take(class, walk);
    }

    /// Checks an event and the object it carries.
    pub(crate) fn event(&mut self, event: &Value) {
        self.events += 1;
        let mut walk = Walk::new(false);
        walk.check_named("event", event, 0);
        walk.check_by_object(&event["data"]["object"]);
        let kind = event["type"].as_str().unwrap_or_default();
        self.take(kind, walk);
    }

    fn take(&mut self, of: &str, walk: Walk) {
        for violation in walk.violations {
            *self.violations.entry(format!("{of}: {violation}")).or_default() += 1;
        }
        self.later.extend(walk.later);
    }
}

/// One check under way.
#[derive(Debug, Clone, Default)]
struct Walk {
    /// Everything is text, as in forms.
    is_form: bool,
    violations: Vec<String>,
    later: BTreeSet<String>,
}

impl Walk {
    fn new(is_form: bool) -> Self {
        Self { is_form, ..Self::default() }
    }

    fn violate(&mut self, at: &str, what: &str) {
        self.violations.push(format!("{at} {what}"));
    }

    fn check_named(&mut self, name: &str, value: &Value, depth: usize) {
        let schema = &COPY["components"]["schemas"][name];
        if schema.is_null() {
            self.later.insert(name.to_owned());
        } else {
            self.check(schema, value, name, depth);
        }
    }

    fn check_by_object(&mut self, value: &Value) {
        let name = value["object"].as_str().unwrap_or_default();
        if name == "list" {
            value["data"].as_array().into_iter().flatten().for_each(|row| self.check_by_object(row));
        } else {
            self.check_named(name, value, 0);
        }
    }

    fn check(&mut self, schema: &Value, value: &Value, at: &str, depth: usize) {
        if depth > DEPTH_MAX {
            return self.violate(at, "is too deep");
        }
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.check_named(name, value, depth + 1);
        }
        if value.is_null() && (schema["nullable"] == true || NULL_LATER.contains(&at)) {
            return;
        }
        if let Some(kinds) = schema["anyOf"].as_array() {
            return self.check_any(kinds, value, at, depth);
        }
        if let Some(known) = schema["enum"].as_array()
            && !known.contains(value)
        {
            let text = format!("is {value}, none of the copy's");
            return self.violate(at, &text);
        }
        match schema["type"].as_str() {
            Some("object") => self.check_object(schema, value, at, depth),
            Some("array") => self.check_array(&schema["items"], value, at, depth),
            Some(kind) => self.check_plain(kind, schema, value, at),
            None => {}
        }
    }

    /// The first kind that fits; else what is wrong with the one that fits best.
    fn check_any(&mut self, kinds: &[Value], value: &Value, at: &str, depth: usize) {
        let tried = kinds.iter().map(|kind| {
            let mut walk = Self::new(self.is_form);
            walk.check(kind, value, at, depth + 1);
            walk
        });
        if let Some(best) = tried.min_by_key(|walk| walk.violations.len()) {
            self.violations.extend(best.violations);
            self.later.extend(best.later);
        }
    }

    fn check_object(&mut self, schema: &Value, value: &Value, at: &str, depth: usize) {
        let Some(fields) = value.as_object() else {
            return self.violate(at, "is no object");
        };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                self.violate(&format!("{at}.{name}"), "is missing");
            }
        }
        let others = &schema["additionalProperties"];
        for (name, value) in fields {
            let inner = format!("{at}.{name}");
            let known = &schema["properties"][name];
            if !known.is_null() {
                self.check(known, value, &inner, depth + 1);
            } else if others.is_object() {
                self.check(others, value, &inner, depth + 1);
            } else if others == false {
                self.violate(&inner, "is unknown");
            } else if schema["properties"].is_object() {
                self.later.insert(inner);
            }
        }
    }

    fn check_array(&mut self, items: &Value, value: &Value, at: &str, depth: usize) {
        let inner = format!("{at}[]");
        match value {
            Value::Array(rows) => rows.iter().for_each(|row| self.check(items, row, &inner, depth + 1)),
            Value::Object(rows) if self.is_form && rows.keys().all(|key| key.parse::<u32>().is_ok()) => {
                rows.values().for_each(|row| self.check(items, row, &inner, depth + 1));
            }
            _ => self.violate(at, "is no list"),
        }
    }

    fn check_plain(&mut self, kind: &str, schema: &Value, value: &Value, at: &str) {
        let text = value.as_str().filter(|_| self.is_form);
        let fits = match kind {
            "integer" => value.is_i64() || value.is_u64() || text.is_some_and(|text| text.parse::<i64>().is_ok()),
            "number" => value.is_number() || text.is_some_and(|text| text.parse::<f64>().is_ok()),
            "boolean" => value.is_boolean() || matches!(text, Some("true" | "false")),
            _ => value.is_string(),
        };
        if !fits {
            return self.violate(at, &format!("is no {kind}"));
        }
        let longest = schema["maxLength"].as_u64().and_then(|chars| usize::try_from(chars).ok());
        if let (Some(longest), Some(text)) = (longest, value.as_str())
            && text.chars().count() > longest
        {
            self.violate(at, "is too long");
        }
    }
}

/// Bracketed names as nested objects; all leaves are texts.
fn tree(form: &Form) -> Value {
    let mut root = Value::Object(Map::new());
    for (name, value) in form.pairs() {
        let mut parts = name.split('[').map(|part| part.trim_end_matches(']'));
        let mut at = &mut root[parts.next().unwrap_or_default()];
        for part in parts {
            if at.is_null() {
                *at = if part.is_empty() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
            }
            at = match at {
                Value::Array(rows) => {
                    rows.push(Value::Null);
                    let last = rows.len() - 1;
                    &mut rows[last]
                }
                Value::Object(fields) => fields.entry(part).or_insert(Value::Null),
                // A name that is both a text and an object: the text stays, and the check says so.
                other => other,
            };
        }
        if at.is_null() {
            *at = value.clone().into();
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(class: &str, form: &str) -> Vec<String> {
        let mut findings = Findings::default();
        findings.request(class, &Form::default(), &Form::decode(form.as_bytes()));
        findings.violations.into_keys().collect()
    }

    #[test]
    fn a_request_fits_or_what_is_wrong_is_said() {
        let class = "POST /v1/payouts";
        assert_eq!(asked(class, "amount=5&currency=usd&metadata[a]=1&expand[]=destination"), Vec::<String>::new());
        assert_eq!(asked(class, "amount=five&currency=usd"), ["POST /v1/payouts: form.amount is no integer"]);
        assert_eq!(asked(class, "amount=5&currency=usd&colour=red"), ["POST /v1/payouts: form.colour is unknown"]);
        assert_eq!(asked(class, "amount=5"), ["POST /v1/payouts: form.currency is missing"]);
        let bad = "amount=5&currency=usd&method=fast";
        assert_eq!(asked(class, bad), ["POST /v1/payouts: form.method is \"fast\", none of the copy's"]);
    }

    #[test]
    fn an_answer_fits_or_what_is_wrong_is_said() {
        let mut findings = Findings::default();
        findings.answer(
            "GET /v1/balance",
            200,
            br#"{"object":"balance","available":[],"pending":[],"livemode":1,"moon":2}"#,
        );
        findings.answer("GET /v1/balance", 401, br#"{"error":{"type":"odd"}}"#);
        let wrong: Vec<_> = findings.violations.into_keys().collect();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert_eq!(wrong[1], "GET /v1/balance: balance.livemode is no boolean");
        assert!(findings.later.contains("balance.moon"));
    }
}
