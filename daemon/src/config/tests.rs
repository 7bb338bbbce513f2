//! The configuration: precedence, defaults, every mistake at once, and no secret shown.
use super::*;
use payout_shared::{
    id::Mode,
    policy::{PolicyName, PolicyValue, Source},
};
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;

fn sources(env: &[(&str, &str)]) -> Sources {
    let env: BTreeMap<_, _> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { env, flags: Flags { state_dir: Some("/var/lib/payoutd".into()), ..Flags::default() }, credentials: None }
}

fn load(env: &[(&str, &str)]) -> Config {
    Config::load(&sources(env)).expect("good")
}

/// The problems, one per line.
fn problems(sources: &Sources) -> Vec<String> {
    Config::load(sources).expect_err("bad").iter().map(ToString::to_string).collect()
}

fn problem(name: &str, value: &str) -> String {
    let problems = problems(&sources(&[(name, value)]));
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].clone()
}

fn shown(config: &Config, name: &str) -> (String, Origin) {
    let line = config.explain().iter().find(|line| line.setting.name == name).expect(name);
    (line.value.clone(), line.from)
}

/// What is configured of policies: name, value, source.
fn said(config: &Config) -> Vec<String> {
    let line = |(name, (value, source)): (&PolicyName, &(PolicyValue, Source))| {
        format!("{name}={} {}", value.text(*name), source.as_str())
    };
    config.policy.values.iter().map(line).collect()
}

const KEY: &str = "sk_test_51HverySecretIndeed";
const CRON: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn with_nothing_set_the_daemon_is_up_and_degraded() {
    let config = load(&[]);
    assert!(config.stripe.key.is_none() && config.stripe.settings().is_none() && config.stripe.mode().is_none());
    assert!(config.stripe.webhook_secrets.is_empty() && config.schedule.cron_secrets.is_empty());
    assert_eq!(config.stripe.base, "https://api.stripe.com");
    assert!(!config.stripe.on_loopback);
    assert_eq!(config.log_dir, PathBuf::from("/var/lib/payoutd/logs"));
    assert_eq!(config.doors.socket, PathBuf::from("/var/lib/payoutd/control.sock"));
    assert!(
        matches!(&config.database, Database::Sqlite(path) if path == &PathBuf::from("/var/lib/payoutd/payoutd.sqlite"))
    );
    assert_eq!(
        said(&config),
        ["minimum.usd=10.00 default", "hold_days=0 default", "bank_changed_days=3 default", "fee_percent=10 default"]
    );
    assert_eq!((config.engine.lease_ms, config.engine.plan_page), (8_000, 1_000));
    assert_eq!(config.schedule.catch_up_ms, 86_400_000);
    assert_eq!(config.schedule.time, civil::time(6, 0, 0, 0));
}

#[test]
fn the_table_tells_the_defaults_that_hold() {
    let unset = load(&[]);
    let said: Vec<_> =
        table::ALL.iter().filter(|setting| !setting.default.is_empty()).map(|s| (s.name, s.default)).collect();
    let set = load(&said);
    // Where a value came from differs, and nothing else.
    let strip = |config: &Config| {
        let mut config = Config { explained: Vec::new(), ..config.clone() };
        config.policy.values.values_mut().for_each(|(_, source)| *source = Source::Default);
        format!("{config:?}")
    };
    assert_eq!(strip(&unset), strip(&set));
    assert_eq!(unset.explain().len(), table::ALL.len(), "every setting is read, once");
    assert!(table::ALL.iter().all(|setting| !setting.reason.is_empty()));
}

#[test]
fn the_explanation_has_a_line_for_every_setting() {
    let config = load(&[("STRIPE_SECRET_KEY", KEY), ("PAYOUTD_LEASE_MS", "9000")]);
    let text = config.explain_text();
    for line in [
        "STRIPE_SECRET_KEY            sk_test_…(27 characters)  [environment]\n",
        "DATABASE_URL                 sqlite:///var/lib/payoutd/payoutd.sqlite  [default]\n",
        "PAYOUTD_SOCKET               /var/lib/payoutd/control.sock  [default]\n",
        "PAYOUTD_LEASE_MS             9000 ms  [environment]\n",
        "PAYOUT_CAPS                  (none)  [default]\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert_eq!(text.lines().count(), 2 * table::ALL.len());
}

#[test]
fn a_credential_wins_over_the_environment_and_that_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("payoutd.toml");
    std::fs::write(&file, "PAYOUT_TIME = \"07:00\"\nPAYOUTD_PLAN_PAGE = 5\nPAYOUT_HOLD_DAYS = 1\n").unwrap();
    std::fs::write(dir.path().join("PAYOUT_TIME"), "09:00\n").unwrap();
    let mut sources =
        sources(&[("PAYOUT_TIME", "08:00"), ("PAYOUTD_PLAN_PAGE", "6"), ("PAYOUTD_STATE_DIR", "/elsewhere")]);
    sources.flags.config = Some(file);
    sources.credentials = Some(dir.path().to_owned());
    let config = Config::load(&sources).unwrap();
    assert_eq!(shown(&config, "PAYOUT_TIME"), ("09:00".into(), Origin::Credential));
    assert_eq!(shown(&config, "PAYOUTD_PLAN_PAGE"), ("6".into(), Origin::Environment));
    assert_eq!(shown(&config, "PAYOUT_HOLD_DAYS"), ("1".into(), Origin::File));
    assert_eq!(shown(&config, "PAYOUT_TIMEZONE"), ("UTC".into(), Origin::Default));
    assert_eq!(shown(&config, "PAYOUTD_STATE_DIR"), ("/var/lib/payoutd".into(), Origin::Flag));
    assert_eq!((config.schedule.time, config.engine.plan_page), (civil::time(9, 0, 0, 0), 6));
}

#[test]
fn the_file_takes_numbers_lists_and_tables() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("payoutd.toml");
    let text = "STRIPE_WEBHOOK_SECRET = [\"whsec_a\", \"whsec_b\"]\nPAYOUTD_CREATE_RATE_PER_S = 7.5\n[PAYOUT_MINIMUMS]\njpy = 1000\n";
    std::fs::write(&file, text).unwrap();
    let mut sources = sources(&[]);
    sources.flags.config = Some(file.clone());
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.stripe.webhook_secrets.len(), 2);
    assert_eq!(config.stripe.rates.create_milli_per_s, 7_500);
    assert_eq!(said(&config)[..2], ["minimum.jpy=1000 environment", "minimum.usd=10.00 default"]);
    std::fs::write(&file, "PAYOUT_TIEM = \"07:00\"\nPAYOUT_TIME = 1979-05-27\n").unwrap();
    let problems = problems(&sources);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("PAYOUT_TIEM: is no setting of this program"), "{problems:?}");
}

#[test]
fn a_broken_file_is_told_by_its_line_and_never_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("payoutd.toml");
    std::fs::write(&file, format!("PAYOUT_TIME = \"06:00\"\nSTRIPE_SECRET_KEY = {KEY}\n")).unwrap();
    let mut sources = sources(&[]);
    sources.flags.config = Some(file);
    let problems = problems(&sources);
    assert!(problems[0].contains("line 2") && !problems[0].contains("verySecret"), "{problems:?}");
    sources.flags.config = Some(dir.path().join("absent.toml"));
    assert!(self::problems(&sources)[0].contains("cannot be read"));
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_no_secret_with_it() {
    let bad = [
        ("STRIPE_SECRET_KEY", "pk_live_verySecret"),
        ("STRIPE_API_BASE", "http://api.stripe.com"),
        ("CRON_SECRET_KEY", "verySecret"),
        ("PAYOUT_MIN_THRESHOLD_CENTS", "10.00"),
        ("PLATFORM_DEFAULT_CURRENCY", "dollars"),
        ("PAYOUT_TIMEZONE", "Mars/Olympus"),
        ("PAYOUT_TIME", "25:99"),
        ("PLATFORM_FEE_PERCENT", "101"),
        ("DATABASE_URL", "mysql://u:verySecret@h/d"),
        ("PAYOUTD_HTTP_LISTEN", "8080"),
        ("PAYOUTD_CREATE_RATE_PER_S", "0"),
        ("PAYOUT_MINIMUMS", "eur:5"),
        ("PAYOUTD_LOG", "payoutd=loud"),
    ];
    let mut sources = sources(&bad);
    sources.flags.state_dir = None;
    let problems = problems(&sources);
    assert_eq!(problems.len(), bad.len() + 1, "{problems:#?}");
    for (name, _) in bad {
        assert_eq!(problems.iter().filter(|problem| problem.starts_with(&format!("{name}="))).count(), 1, "{name}");
    }
    assert!(problems.iter().any(|problem| problem.starts_with("PAYOUTD_STATE_DIR: a directory is needed")));
    assert!(!problems.concat().contains("verySecret"), "{problems:#?}");
}

#[test]
fn an_error_says_the_name_the_value_and_what_to_write() {
    assert_eq!(
        problem("PAYOUT_TIME", "25:99"),
        "PAYOUT_TIME=25:99: no time of day; write HH:MM, as in 06:00 (from the environment)"
    );
    assert_eq!(
        problem("PAYOUTD_LEASE_MS", "5"),
        "PAYOUTD_LEASE_MS=5: a whole number from 3000 to 120000 is needed (from the environment)"
    );
    for hours in ["0", "25"] {
        // With none at all each cycle would be missed by the second that the schedule needs to see it.
        assert!(problem("PAYOUT_CATCH_UP_HOURS", hours).contains("a whole number from 1 to 24"), "{hours}");
    }
    assert!(
        problem("STRIPE_SECRET_KEY", "whsec_abc").starts_with("STRIPE_SECRET_KEY=whsec_…(9 characters): not a key")
    );
}

#[test]
fn the_key_decides_the_mode_and_is_never_shown() {
    let config =
        load(&[("STRIPE_SECRET_KEY", KEY), ("STRIPE_WEBHOOK_SECRET", "whsec_abc, whsec_def,"), ("CRON_SECRET", CRON)]);
    assert_eq!(config.stripe.mode(), Some(Mode::Test));
    let secrets: Vec<_> = config.stripe.webhook_secrets.iter().map(|secret| secret.expose_secret()).collect();
    assert_eq!(secrets, ["whsec_abc", "whsec_def"]);
    assert_eq!(config.schedule.cron_secrets.len(), 1);
    assert_eq!(shown(&config, "STRIPE_SECRET_KEY").0, "sk_test_…(27 characters)");
    let all = format!("{config:?}{}{:?}", config.explain_text(), config.stripe.settings());
    for secret in [KEY, "abc", "def", CRON] {
        assert!(!all.contains(secret) || secret == "def" || secret == "abc", "{secret}");
    }
    assert!(!all.contains("whsec_abc") && !all.contains("whsec_def"));
}

#[test]
fn an_empty_value_is_no_value() {
    let config = load(&[
        ("STRIPE_SECRET_KEY", ""),
        ("STRIPE_WEBHOOK_SECRET", " "),
        ("CRON_SECRET_KEY", ""),
        ("PAYOUT_TIME", ""),
    ]);
    assert!(config.stripe.key.is_none() && config.stripe.webhook_secrets.is_empty());
    assert!(config.schedule.cron_secrets.is_empty());
}

#[test]
fn plain_http_is_for_loopback_only() {
    for good in ["http://127.0.0.1:9000/", "http://localhost:9000", "http://[::1]:9000", "https://api.stripe.com/"] {
        assert!(!load(&[("STRIPE_API_BASE", good)]).stripe.base.ends_with('/'));
    }
    for bad in [
        "http://10.0.0.1",
        "ftp://localhost",
        "localhost:9000",
        "http://localhost@evil.com",
        "http://127.0.0.1.evil.com",
        "https://a.b/?x",
    ] {
        assert!(problem("STRIPE_API_BASE", bad).contains("https is needed"), "{bad}");
    }
}

#[test]
fn the_clock_may_lie_only_in_a_rehearsal() {
    let twin = ("STRIPE_API_BASE", "http://127.0.0.1:9000");
    let offset = ("PAYOUTD_CLOCK_OFFSET_FILE", "/tmp/offset");
    let config = load(&[("STRIPE_SECRET_KEY", KEY), twin, offset]);
    assert_eq!(config.stripe.clock_offset_file, Some(PathBuf::from("/tmp/offset")));
    for env in
        [vec![offset], vec![("STRIPE_SECRET_KEY", KEY), offset], vec![("STRIPE_SECRET_KEY", "sk_live_x"), twin, offset]]
    {
        assert!(problems(&sources(&env))[0].starts_with("PAYOUTD_CLOCK_OFFSET_FILE=/tmp/offset: only with a test key"));
    }
}

#[test]
fn stripes_own_test_mode_is_asked_a_quarter_as_often() {
    let global = |env: &[(&str, &str)]| {
        let config = load(env);
        (config.stripe.rates.global_milli_per_s, shown(&config, "PAYOUTD_GLOBAL_RATE_PER_S").0)
    };
    assert_eq!(global(&[("STRIPE_SECRET_KEY", "rk_live_x")]), (60_000, "60".into()));
    assert_eq!(global(&[("STRIPE_SECRET_KEY", KEY)]), (15_000, "15".into()));
    assert_eq!(global(&[("STRIPE_SECRET_KEY", KEY), ("STRIPE_API_BASE", "http://[::1]:1")]).0, 60_000);
    assert_eq!(global(&[("STRIPE_SECRET_KEY", KEY), ("PAYOUTD_GLOBAL_RATE_PER_S", "0.25")]), (250, "0.25".into()));
}

#[test]
fn minimums_are_by_currency_and_the_larger_wins() {
    let config = load(&[
        ("PAYOUT_MINIMUMS", "eur=500, jpy=2000"),
        ("PLATFORM_DEFAULT_CURRENCY", "EUR"),
        ("PAYOUT_CAPS", "usd=1000000"),
    ]);
    assert_eq!(
        said(&config)[..3],
        ["minimum.eur=10.00 environment", "minimum.jpy=2000 environment", "cap.usd=10000.00 environment"]
    );
    assert!(problem("PAYOUT_CAPS", "usd=1,usd=2").contains("named twice"));
    assert!(problem("PAYOUT_CAPS", "usd=-1").contains("not a currency and its minor units"));
}

#[test]
fn any_policy_can_be_configured_once() {
    let config =
        load(&[("PAYOUT_POLICIES", "settlement_days=20, drift_tolerance.USD=500.5, short=skip, cap.usd=none")]);
    let said = said(&config);
    for line in ["settlement_days=20", "drift_tolerance.usd=500.50", "short=skip", "cap.usd=none"] {
        assert!(said.contains(&format!("{line} environment")), "{line} {said:?}");
    }
    for (text, why) in [
        ("settlement_days", "is not a policy and its value"),
        ("canaries=20", "is no policy"),
        ("settlement_days=many", "a number of days"),
        ("hold_days=1,hold_days=2", "named twice"),
        ("drift_tolerance.usd=1.234", "is not an amount of usd"),
    ] {
        assert!(problem("PAYOUT_POLICIES", text).contains(why), "{text}");
    }
    let twice = problems(&sources(&[("PAYOUT_HOLD_DAYS", "1"), ("PAYOUT_POLICIES", "hold_days=2")]));
    assert!(twice.concat().contains("a setting of its own as well"), "{twice:?}");
}

#[test]
fn a_database_is_sqlite_or_postgresql() {
    let of = |url| load(&[("DATABASE_URL", url)]).database;
    assert!(matches!(of("sqlite:///var/x.db"), Database::Sqlite(path) if path.as_os_str() == "/var/x.db"));
    let config = load(&[("DATABASE_URL", "postgres://payoutd:pa@ss@db/payouts")]);
    assert!(matches!(&config.database, Database::Postgres(url) if url.expose_secret().ends_with("pa@ss@db/payouts")));
    assert_eq!(shown(&config, "DATABASE_URL").0, "postgres://…@db/payouts");
    let shown_of = |url| shown(&load(&[("DATABASE_URL", url)]), "DATABASE_URL").0;
    assert_eq!(shown_of("postgres://db/payouts?user=me&PassWord=secret"), "postgres://db/payouts?…");
    assert_eq!(shown_of("postgres://db/payouts?user=me@here&password=secret"), "postgres://?…");
    assert_eq!(shown_of("postgres://me:pass@db/payouts?sslmode=require"), "postgres://…@db/payouts?sslmode=require");
    assert!(!format!("{config:?}").contains("pa@ss"));
}

#[test]
fn systemds_directories_are_used() {
    let mut sources = sources(&[
        ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"),
        ("RUNTIME_DIRECTORY", "/run/payoutd"),
        ("LOGS_DIRECTORY", "/var/log/payoutd"),
    ]);
    sources.flags.state_dir = None;
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.state_dir, PathBuf::from("/var/lib/a"));
    assert_eq!(config.doors.socket, PathBuf::from("/run/payoutd/control.sock"));
    assert_eq!(config.log_dir, PathBuf::from("/var/log/payoutd"));
}

#[test]
fn rates_and_percentages_are_exact() {
    use super::parse::decimal;
    assert_eq!(decimal("14.5", 3, u32::MAX), Some(14_500));
    assert_eq!(decimal("0.001", 3, u32::MAX), Some(1));
    assert_eq!(decimal("100", 2, 10_000), Some(10_000));
    for bad in ["", ".5", "-1", "1e3", "0.0001", "100.01x", "4294968"] {
        assert_eq!(decimal(bad, 3, u32::MAX), None, "{bad}");
    }
}

#[test]
fn roles_come_from_named_groups_each_role_once() {
    let of = |text| load(&[("PAYOUTD_ROLE_GROUPS", text)]).doors.role_groups;
    assert!(load(&[]).doors.role_groups.is_empty());
    let groups = of(" viewer=payout-view , operator=payout-ops,");
    assert_eq!(groups.names().into_iter().collect::<Vec<_>>(), ["payout-ops", "payout-view"]);
    assert_eq!(groups.roles_of(&["payout-ops".to_owned()]).to_string(), "operator");
    for bad in ["boss=payout", "operator", "operator=", "operator=a b", "operator=a:b"] {
        assert!(problem("PAYOUTD_ROLE_GROUPS", bad).contains("viewer, support, operator, approver, admin"), "{bad}");
    }
    assert!(problem("PAYOUTD_ROLE_GROUPS", "viewer=a,viewer=b").contains("named twice"));
    assert!(problem("PAYOUTD_ROLE_GROUPS", ",").contains("no role is named"));
}
