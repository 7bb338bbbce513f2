//! Stripe's part of the configuration: the key, the address, the rates.
use super::{
    parse::{number, rate, secrets},
    read::Reader,
    table,
};
use crate::stripe::{Settings, check_base, is_loopback, limits::Rates};
use payout_shared::id::Mode;
use secrecy::{ExposeSecret as _, SecretString};
use std::path::PathBuf;

/// Stripe's part.
#[derive(Clone, Debug)]
pub struct StripeConfig {
    /// STRIPE_SECRET_KEY: `None` = up, degraded, nothing is sent.
    pub key: Option<SecretString>,
    /// STRIPE_WEBHOOK_SECRET: empty = no webhook is believed.
    pub webhook_secrets: Vec<SecretString>,
    /// STRIPE_API_BASE, without a slash at its end.
    pub base: String,
    /// Stripe is on this machine: a twin.
    pub on_loopback: bool,
    /// PAYOUTD_CONNECT_TIMEOUT_MS.
    pub connect_timeout_ms: i64,
    /// PAYOUTD_REQUEST_TIMEOUT_MS: a new holder of the lease waits this long for what the old one may have sent.
    pub request_timeout_ms: i64,
    /// The rates.
    pub rates: Rates,
    /// PAYOUTD_CLOCK_OFFSET_FILE: with a test key and Stripe on loopback only.
    pub clock_offset_file: Option<PathBuf>,
}

impl StripeConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let key = reader.get(table::STRIPE_SECRET_KEY, None, key);
        let webhook_secrets = reader.get(table::STRIPE_WEBHOOK_SECRET, Vec::new(), secrets(1));
        let base = reader.get(table::STRIPE_API_BASE, table::STRIPE_API_BASE.default.to_owned(), base);
        let on_loopback = host_of(&base).is_some_and(|host| is_loopback(&host));
        let mode = key.as_ref().and_then(|key| Mode::of_key(key.expose_secret()));
        let clock_offset_file = reader.get(table::PAYOUTD_CLOCK_OFFSET_FILE, None, |path| {
            if on_loopback && mode == Some(Mode::Test) {
                Ok(Some(PathBuf::from(path)))
            } else {
                Err("only with a test key and STRIPE_API_BASE on loopback: nowhere else may the clock lie".to_owned())
            }
        });
        let defaults = Rates::default();
        // Stripe's own test mode allows a quarter of what live does; a twin allows what it was told to.
        let global = if mode == Some(Mode::Test) && !on_loopback { 15_000 } else { defaults.global_milli_per_s };
        let rates = Rates {
            create_milli_per_s: reader.get(table::PAYOUTD_CREATE_RATE_PER_S, defaults.create_milli_per_s, rate),
            create_concurrency: reader.get(
                table::PAYOUTD_CREATE_CONCURRENCY,
                defaults.create_concurrency,
                number(1..=10_000),
            ),
            read_milli_per_s: reader.get(table::PAYOUTD_READ_RATE_PER_S, defaults.read_milli_per_s, rate),
            global_milli_per_s: reader.get(table::PAYOUTD_GLOBAL_RATE_PER_S, global, rate),
        };
        if global != defaults.global_milli_per_s {
            reader.default_is(table::PAYOUTD_GLOBAL_RATE_PER_S, "15");
        }
        Self {
            connect_timeout_ms: reader.get(table::PAYOUTD_CONNECT_TIMEOUT_MS, 5_000, number(100..=60_000)),
            request_timeout_ms: reader.get(table::PAYOUTD_REQUEST_TIMEOUT_MS, 30_000, number(100..=120_000)),
            key,
            webhook_secrets,
            base,
            on_loopback,
            rates,
            clock_offset_file,
        }
    }

    /// Live or test, by the key; `None` without one.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        self.key.as_ref().and_then(|key| Mode::of_key(key.expose_secret()))
    }

    /// What the live client needs; `None` without a key.
    #[must_use]
    pub fn settings(&self) -> Option<Settings> {
        Some(Settings {
            key: self.key.clone()?,
            base: self.base.clone(),
            connect_timeout_ms: self.connect_timeout_ms,
            request_timeout_ms: self.request_timeout_ms,
        })
    }
}

fn key(text: &str) -> Result<Option<SecretString>, String> {
    if Mode::of_key(text).is_some() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Some(SecretString::from(text)))
    } else {
        Err("not a key of Stripe's: it begins with sk_live_, sk_test_, rk_live_ or rk_test_".to_owned())
    }
}

fn base(text: &str) -> Result<String, String> {
    check_base(text).map(|(base, _)| base).map_err(|error| error.to_string())
}

fn host_of(base: &str) -> Option<String> {
    Some(base.parse::<http::Uri>().ok()?.host()?.to_owned())
}
