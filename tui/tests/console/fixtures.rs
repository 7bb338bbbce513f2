//! A run at 06:03:41, as a daemon would tell it, and helpers to drive the console without a clock.
use payout::app::{App, Msg, Now, Reply, Request, key::Key, rollback::Preview, update};
use payout_proto::v1::{self, watch_frame::Frame};

/// 2026-12-01 06:03:41.000 UTC.
pub(crate) const NOW_MS: i64 = 1_796_105_021_000;
pub(crate) const RUN: &str = "run_01JDZZZZZZZZZZZZZZZZZZZZZZ";

pub(crate) fn now() -> Now {
    Now { unix_ms: NOW_MS, mono_ms: 1_000_000 }
}

fn money(minor: i64, currency: &str) -> v1::Money {
    v1::Money { minor, currency: currency.to_owned() }
}

pub(crate) fn daemon() -> v1::DaemonPart {
    v1::DaemonPart {
        version: "0.1.0".into(),
        mode: "live".into(),
        hostname: "pay-prod-1".into(),
        database: "postgres".into(),
        leader: true,
        armed: true,
        next_run_at: "2026-12-15T06:00:00Z".into(),
        next_cycle_date: "2026-12-15".into(),
        now_ms: NOW_MS,
        you: "oncall(1000)".into(),
        role: "operator".into(),
        last_webhook_ms: NOW_MS - 4_000,
        create_rate: 15.0,
        create_concurrency: 32,
        timezone: "UTC".into(),
        ..v1::DaemonPart::default()
    }
}

pub(crate) fn run(state: &str) -> v1::RunPart {
    v1::RunPart {
        id: RUN.into(),
        label: "2026-12-01#1".into(),
        state: state.into(),
        kind: "scheduled".into(),
        created_at_ms: NOW_MS - 230_000,
        started_at_ms: NOW_MS - 221_000,
        in_flight: 24,
        payouts: 41_880,
        answered: 5_212,
        purses: 43_002,
        skipped: 1_122,
        requested_by: "schedule".into(),
        eta_ms: NOW_MS + 2_029_000,
        eta_early_ms: NOW_MS + 1_640_000,
        eta_late_ms: NOW_MS + 2_600_000,
        usual_failed_bp: 40,
        money: vec![
            v1::MoneyProgress { currency: "eur".into(), total_minor: 987_102_044, sent_minor: 121_240_010 },
            v1::MoneyProgress { currency: "usd".into(), total_minor: 45_000_050, sent_minor: 8_100_000 },
        ],
        ..v1::RunPart::default()
    }
}

fn cause(cause: &str, state: &str, count: i64, minor: i64, first_s: i64) -> v1::Cause {
    v1::Cause {
        cause: cause.into(),
        state: state.into(),
        count,
        amounts: vec![money(minor, "eur")],
        first_ms: NOW_MS - first_s * 1000,
        last_ms: NOW_MS - 1000,
        creators: count,
        last_10_min: vec![0, 0, 0, 1, 2, 4, 8, 40, 120, 130],
        is_new: cause == "payouts_not_allowed",
        what_next: if state == "planned" { "leaves again by itself" } else { "creator held" }.into(),
    }
}

pub(crate) fn row(number: i64) -> v1::PayoutRow {
    let failed = number % 5 == 0;
    v1::PayoutRow {
        id: format!("pay_01JDX0000000000000000{number:05}"),
        run_id: RUN.into(),
        run_label: "2026-12-01#1".into(),
        creator_id: format!("creator-{number:04}"),
        account_id: format!("acct_1NkQ8rAbCdEf{number:04}"),
        amount: Some(money(1_000 + number * 317, if number % 7 == 0 { "jpy" } else { "eur" })),
        state: if failed { "failed" } else { "paid" }.into(),
        attempts: 1,
        cause: if failed { "payouts_not_allowed" } else { "" }.into(),
        failure_reason: String::new(),
        stripe_payout_id: String::new(),
        request_id: format!("req_9kQ{number:05}"),
        created_at_ms: NOW_MS - 200_000,
        changed_at_ms: NOW_MS - number * 1000,
    }
}

pub(crate) fn states() -> Vec<v1::StateCount> {
    [("planned", 36_644), ("submitting", 24), ("unknown", 2), ("pending", 4_000), ("paid", 869), ("failed", 341)]
        .map(|(state, count)| v1::StateCount { state: state.into(), count })
        .to_vec()
}

/// The live screen of a run in this state.
pub(crate) fn parts(state: &str) -> v1::Live {
    let line = |ago_s: i64, level: &str, text: &str, like_it| v1::LogLine {
        at_ms: NOW_MS - ago_s * 1000,
        level: level.into(),
        text: text.into(),
        like_it,
    };
    v1::Live {
        daemon: Some(daemon()),
        run: Some(run(state)),
        states: Some(v1::StateCounts { states: states() }),
        rate: Some(v1::RatePart {
            now_per_s: 14.2,
            average_per_s: 23.6,
            p50_ms: 188.0,
            p95_ms: 412.0,
            limited_per_min: 0,
            server_errors_per_min: 0,
            answered_10s: vec![10, 20, 60, 120, 200, 230, 240, 250, 240, 236, 220, 190, 150, 142],
            failed_10s: vec![0, 0, 0, 1, 1, 2, 5, 9, 20, 30, 50, 60, 70, 90],
        }),
        causes: Some(v1::Causes {
            causes: vec![
                cause("insufficient_funds", "failed", 27, 931_000, 61),
                cause("payouts_not_allowed", "failed", 303, 7_122_040, 103),
                cause("api_connection_error", "planned", 11, 204_415, 190),
                cause("timeout", "unknown", 2, 51_200, 90),
            ],
        }),
        failures: Some(v1::Failures { rows: (1..=50).map(|n| row(n * 5)).collect() }),
        log: Some(v1::LogLines {
            lines: vec![
                line(1, "WARN", "stripe 400 payouts_not_allowed req_9kQ0f", 12),
                line(29, "WARN", "breaker: fail-rate 5.8 %, opens at 8.0 %", 0),
                line(61, "WARN", "acct_1Ha77Xy short: 99.00 due, 42.10 available EUR", 0),
                line(90, "ERROR", "pay_01JDc1f4 timeout after send, unknown, will be asked again", 0),
                line(221, "INFO", "run 2026-12-01#1 started by schedule: 41,880 payouts", 0),
            ],
        }),
        skips: Some(v1::SkipCounts {
            skips: vec![
                v1::SkipCount { reason: "below_minimum".into(), count: 1_000 },
                v1::SkipCount { reason: "held".into(), count: 122 },
            ],
        }),
        pages_version: Some(1),
    }
}

/// The same after the run has ended.
pub(crate) fn ended_parts() -> v1::Live {
    let mut parts = parts("completed_with_failures");
    let run = parts.run.as_mut().unwrap();
    (run.answered, run.in_flight, run.finished_at_ms) = (run.payouts, 0, NOW_MS - 60_000);
    for m in &mut run.money {
        m.sent_minor = m.total_minor - 8_104_240;
    }
    parts.states = Some(v1::StateCounts {
        states: vec![
            v1::StateCount { state: "paid".into(), count: 41_539 },
            v1::StateCount { state: "failed".into(), count: 341 },
        ],
    });
    parts
}

pub(crate) fn frame(seq: u64, frame: Frame) -> v1::WatchFrame {
    v1::WatchFrame { epoch: 7, seq, frame: Some(frame) }
}

pub(crate) fn snapshot(parts: v1::Live) -> Msg {
    Msg::Frame(Box::new(frame(1, Frame::Snapshot(parts))))
}

pub(crate) fn delta(seq: u64, parts: v1::Live) -> Msg {
    Msg::Frame(Box::new(frame(seq, Frame::Delta(parts))))
}

/// A console of a size that has seen nothing.
pub(crate) fn blank(columns: u16, rows: u16) -> App {
    App::new(now(), (columns, rows), "/run/payoutd/control.sock", false)
}

/// A console of a size with a run in a state on it.
pub(crate) fn console(columns: u16, rows: u16, state: &str) -> App {
    let mut app = blank(columns, rows);
    update(&mut app, snapshot(parts(state)));
    app
}

pub(crate) fn press(app: &mut App, keys: &str) -> Vec<Request> {
    keys.chars().flat_map(|c| update(app, Msg::Key(Key::Char(c)))).collect()
}

pub(crate) fn key(app: &mut App, key: Key) -> Vec<Request> {
    update(app, Msg::Key(key))
}

/// Time goes on.
pub(crate) fn wait(app: &mut App, ms: i64) -> Vec<Request> {
    let now = Now { unix_ms: app.now.unix_ms + ms, mono_ms: app.now.mono_ms + ms };
    update(app, Msg::Tick(now))
}

/// Time goes on with the daemon alive: a heartbeat at its end.
pub(crate) fn beat(app: &mut App, ms: i64) -> Vec<Request> {
    let mut requests = wait(app, ms);
    let (epoch, seq, now_ms) = (app.live.epoch, app.live.seq, app.now.unix_ms);
    let beat = v1::WatchFrame { epoch, seq, frame: Some(Frame::Heartbeat(v1::Heartbeat { now_ms })) };
    requests.extend(update(app, Msg::Frame(Box::new(beat))));
    requests
}

/// Answers the newest request for a page with these rows.
pub(crate) fn answer(
    app: &mut App,
    requests: &[Request],
    rows: Vec<v1::PayoutRow>,
    total: i64,
    next: &str,
) -> Vec<Request> {
    let ticket = requests
        .iter()
        .rev()
        .find_map(|request| if let Request::ListPayouts { ticket, .. } = request { Some(*ticket) } else { None })
        .expect("a page was asked for");
    let reply = v1::ListPayoutsReply { rows, next_cursor: next.into(), total };
    update(app, Msg::Reply { ticket, reply: Reply::Payouts(Box::new(reply)) })
}

/// The payouts screen with thirty rows on it.
pub(crate) fn payouts(columns: u16, rows: u16) -> App {
    let mut app = console(columns, rows, "running");
    let asked = press(&mut app, "2");
    answer(&mut app, &asked, (1..=30).map(row).collect(), 41_880, "next");
    app
}

/// What the daemon tells of a payout.
pub(crate) fn shown(number: i64) -> v1::ShowPayoutReply {
    let entry = |seq, ago_s: i64, action: &str, from: &str, to: &str, reason: &str| v1::TimelineEntry {
        seq,
        at_ms: NOW_MS - ago_s * 1000 + 412,
        actor: "engine".into(),
        action: action.into(),
        from_state: from.into(),
        to_state: to.into(),
        reason: reason.into(),
        detail: "{}".into(),
    };
    v1::ShowPayoutReply {
        payout: Some(row(number)),
        timeline: vec![
            entry(812, 200, "plan", "", "planned", ""),
            entry(90_122, 6, "intend", "planned", "submitting", "attempt 1"),
            entry(90_131, 5, "refuse", "submitting", "failed", "payouts_not_allowed"),
        ],
        items: vec![v1::ItemRow {
            earning_id: 5_551,
            kind: "sale".into(),
            amount_minor: 1_000 + number * 317,
            source_id: "ch_3Qx".into(),
            earned_at_ms: NOW_MS - 86_400_000 * 9,
            released: true,
        }],
        items_total: 1,
        attempts: vec![v1::AttemptRow {
            key: "payout-create-pay_01JDX-1".into(),
            kind: "create".into(),
            number: 1,
            state: "refused".into(),
            sends: 1,
            http_status: 400,
            error_type: "invalid_request_error".into(),
            error_code: "payouts_not_allowed".into(),
            error_message: "Cannot create payouts: payouts are not enabled".into(),
            request_id: "req_9kQ00005".into(),
            first_sent_stripe_ms: NOW_MS - 5_000,
            last_sent_stripe_ms: NOW_MS - 5_000,
            ..v1::AttemptRow::default()
        }],
        same_cause: 302,
        destination_id: "ba_1Nk".into(),
        what_next: "the creator is held until payouts are enabled again".into(),
    }
}

/// The detail screen of a failed payout.
pub(crate) fn detail(columns: u16, rows: u16) -> App {
    let mut app = payouts(columns, rows);
    for _ in 0..4 {
        press(&mut app, "j");
    }
    let asked = key(&mut app, Key::Enter);
    let Some(Request::ShowPayout { ticket, .. }) = asked.last() else { panic!("a payout was asked for: {asked:?}") };
    update(&mut app, Msg::Reply { ticket: *ticket, reply: Reply::Payout(Box::new(shown(5))) });
    app
}

/// What a rollback of the run would do.
pub(crate) fn preview() -> Preview {
    let line = |n: i64, step: &str, state: &str, why: &str| v1::RollbackLine {
        payout_id: format!("pay_01JDX0000000000000000{n:05}"),
        creator_id: format!("creator-{n:04}"),
        state: state.into(),
        step: step.into(),
        amount: Some(money(1_000 + n * 317, "eur")),
        why: why.into(),
        total: None,
    };
    let mut rows: Vec<_> = (1..=12).map(|n| line(n, "cancel", "pending", "")).collect();
    rows.push(line(13, "reverse", "paid", ""));
    rows.push(line(14, "impossible", "paid", "its bank account is in FR; Stripe reverses to US and CA only"));
    rows.push(line(15, "wait", "in_transit", "the bank has it"));
    rows.extend((16..=20).map(|n| line(n, "cancel", "pending", "")));
    let step = |step: &str, count, minor| v1::RollbackStep {
        step: step.into(),
        count,
        amounts: vec![money(minor, "eur"), money(minor / 3, "usd")],
    };
    let steps = vec![
        step("cancel", 290, 9_871_020),
        step("reverse", 13, 204_415),
        step("wait", 40, 1_204_415),
        step("impossible", 2, 51_200),
    ];
    let total = v1::RollbackTotal { hash: "c0ffee".into(), steps, to_do: 303 };
    Preview { rows, count: 345, total }
}

/// A paused run with the preview of its rollback in front.
pub(crate) fn rollback(columns: u16, rows: u16) -> App {
    let mut app = console(columns, rows, "paused");
    let asked = press(&mut app, "B");
    let [Request::PreviewRollback { ticket, .. }] = asked.as_slice() else {
        panic!("a preview was asked for: {asked:?}")
    };
    update(&mut app, Msg::Reply { ticket: *ticket, reply: Reply::Preview(Box::new(preview())) });
    app
}
