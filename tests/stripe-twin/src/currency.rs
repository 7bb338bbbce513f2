//! The currencies Stripe takes and the multiples a payout in them must be of.

/// Currencies the twin knows; Stripe's list is a little longer.
pub(crate) const KNOWN: &[&str] = &[
    "aed", "ars", "aud", "bgn", "bhd", "brl", "cad", "chf", "clp", "cny", "cop", "crc", "czk", "dkk", "egp", "eur",
    "gbp", "ghs", "hkd", "huf", "idr", "ils", "inr", "isk", "jod", "jpy", "kes", "krw", "kwd", "mad", "mxn", "myr",
    "ngn", "nok", "nzd", "omr", "pen", "php", "pkr", "pln", "pyg", "ron", "rwf", "sar", "sek", "sgd", "thb", "tnd",
    "try", "twd", "ugx", "usd", "uyu", "vnd", "xaf", "xof", "zar",
];

/// Minor units that a payout must be a multiple of.
#[must_use]
pub(crate) fn payout_unit(currency: &str) -> i64 {
    match currency {
        "huf" | "twd" | "isk" | "ugx" => 100,
        "bhd" | "jod" | "kwd" | "omr" | "tnd" => 10,
        _ => 1,
    }
}
