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

/// What a minor unit is worth, in millionths of a US cent: the twin's one rate of exchange, for ever.
fn worth(currency: &str) -> i64 {
    match currency {
        "eur" => 1_080_000,
        "gbp" => 1_270_000,
        "chf" => 1_120_000,
        "cad" => 730_000,
        "aud" => 660_000,
        "jpy" => 670_000,
        "krw" => 72_000,
        "sek" | "nok" | "mxn" => 95_000,
        "huf" => 2_800,
        _ => 1_000_000,
    }
}

/// An amount in another currency, rounded down; it may become nothing.
#[must_use]
pub(crate) fn convert(amount: i64, from: &str, to: &str) -> i64 {
    if from == to {
        return amount;
    }
    let exact = i128::from(amount) * i128::from(worth(from)) / i128::from(worth(to));
    i64::try_from(exact).unwrap_or(i64::MAX)
}
