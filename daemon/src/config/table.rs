//! Every setting that there is: its name, its unit, its default, and why the default is what it is.
//!
//! The text is what `payoutd config explain` prints. A test holds the defaults here to those in force.

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the environment, in the TOML file and among the credentials.
    pub name: &'static str,
    /// Another name that it is also known by.
    pub alias: Option<&'static str>,
    /// What its number counts; empty for text.
    pub unit: &'static str,
    /// What holds when nobody says anything; empty for nothing.
    pub default: &'static str,
    /// What it does, and why its default is what it is.
    pub reason: &'static str,
    /// Its value is never shown.
    pub secret: bool,
}

const fn plain(name: &'static str, unit: &'static str, default: &'static str, reason: &'static str) -> Setting {
    Setting { name, alias: None, unit, default, reason, secret: false }
}

const fn secret(name: &'static str, reason: &'static str) -> Setting {
    Setting { name, alias: None, unit: "", default: "", reason, secret: true }
}

macro_rules! settings {
    ($($ident:ident = $setting:expr;)*) => {
        $(#[doc = "See its reason."] pub const $ident: &Setting = &$setting;)*
        /// All of them, in the order in which they are shown.
        pub const ALL: &[&Setting] = &[$($ident),*];
    };
}

settings! {
    STRIPE_SECRET_KEY = secret(
        "STRIPE_SECRET_KEY",
        "the platform's secret or restricted key; its prefix decides live or test; without one nothing is sent",
    );
    STRIPE_WEBHOOK_SECRET = secret(
        "STRIPE_WEBHOOK_SECRET",
        "secrets of the webhook endpoints, comma-separated: platform, connect, and the old one during a rotation",
    );
    STRIPE_API_BASE = plain(
        "STRIPE_API_BASE", "", "https://api.stripe.com",
        "where Stripe's API is; anything but https only on a loopback host",
    );
    CRON_SECRET_KEY = Setting {
        alias: Some("CRON_SECRET"),
        ..secret(
            "CRON_SECRET_KEY",
            "for the internal endpoints, at least 32 characters, two comma-separated during a rotation; without one they are shut and the scheduler is disarmed",
        )
    };
    DATABASE_URL = plain("DATABASE_URL", "", "", "sqlite://FILE or postgres://…; absent: SQLite in the state directory");
    PAYOUTD_STATE_DIR = Setting {
        alias: Some("STATE_DIRECTORY"),
        ..plain("PAYOUTD_STATE_DIR", "", "", "where the daemon keeps what is its own; also --state-dir, and systemd's directory")
    };
    PAYOUTD_WITNESS = plain(
        "PAYOUTD_WITNESS", "", "",
        "the file that says where the journal stood, so that a restored backup is recognised; absent: journal.head in the state directory; better where no backup of the database takes it along",
    );
    PAYOUTD_SOCKET = plain(
        "PAYOUTD_SOCKET", "", "",
        "the control socket; also --socket; absent: control.sock in systemd's runtime directory, else in the state directory",
    );
    PAYOUTD_ROLE_GROUPS = plain(
        "PAYOUTD_ROLE_GROUPS", "", "",
        "which Unix group gives which role, as in viewer=payout-view,support=payout-support,operator=payout-ops,approver=payout-approve,admin=payout-admin; absent: whoever the control socket lets in is admin",
    );
    LOGS_DIRECTORY = plain("LOGS_DIRECTORY", "", "", "daily log files; absent: logs in the state directory");
    PAYOUTD_LOG = plain(
        "PAYOUTD_LOG", "", "info,stripe_shared=error",
        "what is logged; Stripe's type library warns of every word it does not know yet, which is no news",
    );
    PAYOUTD_LOG_FILES = plain("PAYOUTD_LOG_FILES", "days", "30", "daily log files kept: two cycles, so that the last run can be compared with the one before");
    PAYOUTD_HTTP_LISTEN = plain("PAYOUTD_HTTP_LISTEN", "", "127.0.0.1:8080", "webhooks and internal endpoints; a proxy stands before it");
    PAYOUTD_WEBHOOK_BODY_BYTES = plain(
        "PAYOUTD_WEBHOOK_BODY_BYTES", "bytes", "1048576", "the largest webhook taken; Stripe's largest are a tenth of it",
    );
    PAYOUT_MIN_THRESHOLD_CENTS = plain(
        "PAYOUT_MIN_THRESHOLD_CENTS", "minor units", "1000", "the least paid out in the default currency: below it fees and noise outweigh it",
    );
    PAYOUT_MINIMUMS = plain(
        "PAYOUT_MINIMUMS", "minor units by currency", "", "the least paid out in other currencies, as in eur=1000,jpy=1000; the largest minimum wins",
    );
    PAYOUT_BREAKER_PERCENT = plain(
        "PAYOUT_BREAKER_PERCENT", "percent", "8", "a run pauses by itself when so many of its newest 500 answers are failures: four times what is usual",
    );
    PAYOUT_BREAKER_FAILURES = plain(
        "PAYOUT_BREAKER_FAILURES", "payouts", "20", "and at least so many failed: a few of a few prove nothing",
    );
    PAYOUT_BREAKER_BANK_PERCENT = plain(
        "PAYOUT_BREAKER_BANK_PERCENT", "percent", "50", "likewise of those to one bank: a bank that is down fails most of its own",
    );
    PAYOUT_BREAKER_BANK_FAILURES = plain(
        "PAYOUT_BREAKER_BANK_FAILURES", "payouts", "10", "and at least so many to that bank failed",
    );
    PAYOUT_CAPS = plain(
        "PAYOUT_CAPS", "minor units by currency", "", "the most that one payout may be, as in usd=1000000; absent: no cap",
    );
    PAYOUT_POLICIES = plain(
        "PAYOUT_POLICIES", "", "", "any other policy, as in short=skip,cap.usd=5000.00 (amounts in major units); `payout policy list` names them; what a person sets later stands until this changes",
    );
    PLATFORM_DEFAULT_CURRENCY = plain("PLATFORM_DEFAULT_CURRENCY", "", "usd", "the currency of the minimums that name none, ISO 4217");
    PLATFORM_FEE_PERCENT = plain(
        "PLATFORM_FEE_PERCENT", "percent", "10", "what charges are expected to have paid already; checked, never deducted again",
    );
    PAYOUT_TIMEZONE = plain("PAYOUT_TIMEZONE", "", "UTC", "the zone in which the 1st and the 15th are days");
    PAYOUT_TIME = plain("PAYOUT_TIME", "", "06:00", "when on those days; a time that a clock change skips is the next one that exists");
    PAYOUT_CATCH_UP_HOURS = plain(
        "PAYOUT_CATCH_UP_HOURS", "hours", "24", "a run missed by less is caught up, by more is reported as missed",
    );
    PAYOUT_HOLD_DAYS = plain("PAYOUT_HOLD_DAYS", "days", "0", "how long an earning waits beyond Stripe's own settlement");
    PAYOUT_BANK_CHANGED_DAYS = plain(
        "PAYOUT_BANK_CHANGED_DAYS", "days", "3", "a bank account changed less than this ago is not paid to: swapping it is how money is stolen",
    );
    PAYOUTD_ACCOUNT_STALE_HOURS = plain(
        "PAYOUTD_ACCOUNT_STALE_HOURS", "hours", "24", "what we know of an account is read again when older: a day's changes must not be missed",
    );
    PAYOUTD_CREATE_RATE_PER_S = plain("PAYOUTD_CREATE_RATE_PER_S", "per second", "14.5", "payout creates; Stripe takes 15");
    PAYOUTD_CREATE_CONCURRENCY = plain("PAYOUTD_CREATE_CONCURRENCY", "requests", "28", "money requests on the wire; Stripe takes 30");
    PAYOUTD_READ_RATE_PER_S = plain("PAYOUTD_READ_RATE_PER_S", "per second", "20", "reads of one endpoint; Stripe takes 25");
    PAYOUTD_GLOBAL_RATE_PER_S = plain(
        "PAYOUTD_GLOBAL_RATE_PER_S", "per second", "60", "everything together: 60 % of Stripe's limit, the rest is the checkout's; 15 in Stripe's own test mode",
    );
    PAYOUTD_CONNECT_TIMEOUT_MS = plain("PAYOUTD_CONNECT_TIMEOUT_MS", "ms", "5000", "to open a connection to Stripe: nothing is at stake yet");
    PAYOUTD_REQUEST_TIMEOUT_MS = plain(
        "PAYOUTD_REQUEST_TIMEOUT_MS", "ms", "30000", "for an answer of Stripe's: every answer not awaited is a payout to be resolved",
    );
    PAYOUTD_RESOLVE_FIRST_MS = plain(
        "PAYOUTD_RESOLVE_FIRST_MS", "ms", "15000", "from a lost answer to the first look at Stripe's list: a create at work there should be done",
    );
    PAYOUTD_LEASE_MS = plain(
        "PAYOUTD_LEASE_MS", "ms", "8000", "how long a silent daemon keeps the lease: another one has taken over and sends within 10 s",
    );
    PAYOUTD_PLAN_PAGE = plain("PAYOUTD_PLAN_PAGE", "purses", "1000", "planned in one transaction: a pause waits for at most one");
    PAYOUTD_CLOCK_OFFSET_FILE = plain(
        "PAYOUTD_CLOCK_OFFSET_FILE", "", "", "milliseconds added to the wall clock, for rehearsals: only with a test key and Stripe on loopback",
    );
}
