//! Logging: no secret gets out, lines stay whole, the console has the last of them.
use super::*;
use tracing::Level;

const SECRETS: &[&str] =
    &["sk_live_51Habc", "rk_test_9zZ_0", "whsec_aB3/+x=", "hunter2", "T000/B000/XXXX", "acct_1/tok3n", "dGVzdA"];

fn lines_with_secrets() -> Vec<String> {
    vec![
        "key sk_live_51Habc, other rk_test_9zZ_0".into(),
        "secret=whsec_aB3/+x=".into(),
        "Authorization: Bearer hunter2".into(),
        r#"{"authorization": "Bearer hunter2", "n": 1}"#.into(),
        r#"headers: {\"x-cron-secret\": \"hunter2\"}"#.into(),
        "X-Cron-Secret=hunter2".into(),
        r#"CRON_SECRET_KEY: Some("hunter2")"#.into(),
        "authorization: Basic dGVzdA".into(),
        "token bearer hunter2".into(),
        "POST https://hooks.slack.com/services/T000/B000/XXXX failed".into(),
        "link https://connect.stripe.com/setup/e/acct_1/tok3n".into(),
        "postgres://payoutd:hunter2@db:5432/x".into(),
    ]
}

#[test]
fn no_secret_is_left_in_a_line() {
    for line in lines_with_secrets() {
        let clean = redact(&line).into_owned();
        assert!(clean.contains("[redacted]"), "{line} -> {clean}");
        for secret in SECRETS {
            assert!(!clean.contains(secret), "{line} -> {clean}");
        }
    }
}

#[test]
fn what_is_no_secret_stays_as_it_is() {
    for line in [
        "payout po_1 of acct_1: 11.00 usd, key payoutd:test:acct_1:usd:2026-12-01#1:create:1:1",
        "https://api.stripe.com/v1/payouts answered 429",
        "STRIPE_SECRET_KEY is sk_test_…(27 characters)",
        "the authorization was refused",
        "creator a@b.example is held",
    ] {
        assert_eq!(redact(line), line);
    }
    assert_eq!(
        redact("postgres://u:p@db/x and sk_live_abc end"),
        "postgres://[redacted]@db/x and sk_live_[redacted] end"
    );
}

fn settings(dir: &Path) -> LogSettings {
    LogSettings { dir: dir.to_owned(), filter: "info,stripe_shared=error".into(), files: 3 }
}

fn written(dir: &Path) -> String {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn files_and_console_get_the_lines_without_the_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, _hand) = Clock::manual(1_796_104_800_000);
    let (subscriber, logging) = build(&settings(&dir.path().join("logs")), &clock).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(run = "2026-12-01#1", "started");
        tracing::debug!("not asked for");
        tracing::warn!(target: "stripe_shared::payout", "Unknown value 'quantum'");
        tracing::warn!(header = "Bearer hunter2", "refused with sk_live_51Habc");
        for line in lines_with_secrets() {
            tracing::error!(?line, "{line}");
        }
    });
    let recent = logging.recent.lines();
    drop(logging);
    let text = written(&dir.path().join("logs"));
    assert_eq!(text.lines().count(), 2 + lines_with_secrets().len());
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("still JSON");
        assert_eq!(line["timestamp"], "2026-12-01T06:00:00.000Z");
    }
    assert!(text.contains(r#""run":"2026-12-01#1""#) && text.contains(r#""message":"started""#));
    assert_eq!(recent.len(), 1 + lines_with_secrets().len());
    assert_eq!((recent[0].at_ms, recent[0].level), (1_796_104_800_000, Level::WARN));
    assert_eq!(recent[0].text, "refused with sk_live_[redacted] header=Bearer [redacted]");
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret}: {text}");
        assert!(!recent.iter().any(|line| line.text.contains(secret)), "{secret}");
    }
}

#[test]
fn the_console_keeps_the_last_two_hundred() {
    let (clock, _hand) = Clock::manual(0);
    let recent = RecentLog::new(clock);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(recent.clone()), || {
        for n in 0..250 {
            tracing::warn!("line {n}");
        }
        tracing::warn!("{}", "x".repeat(5_000));
        tracing::info!("no warning");
    });
    let lines = recent.lines();
    assert_eq!(lines.len(), 200);
    assert_eq!(lines[0].text, "line 51");
    assert_eq!(lines[199].text.len(), 1_000);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (clock, _hand) = Clock::manual(0);
    let Err(error) = build(&settings(&file.join("logs")), &clock).map(|_| ()) else { panic!() };
    assert!(
        error
            .to_string()
            .starts_with(&format!("the log directory {} cannot be written to", file.join("logs").display()))
    );
    let bad = LogSettings { filter: "payoutd=loud".into(), ..settings(&dir.path().join("ok")) };
    assert!(matches!(build(&bad, &clock).map(|_| ()), Err(LogError::Filter(_))));
}
