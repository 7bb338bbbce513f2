//! The link against a server on a real Unix socket: losing it, finding it, and never believing what is out of order.
use crate::{
    fake::{Fake, Watcher, socket},
    fixtures::{parts, run},
};
use payout::{
    app::{FailureKind, Msg, Reply, Request},
    link::{
        ask,
        backoff::{Backoff, CAP_LOCAL, CAP_SSH},
        dial::Way,
        order::{Place, Step},
        watch,
    },
};
use payout_proto::v1::{self, watch_frame::Frame};
use std::{path::Path, time::Duration};
use tokio::sync::mpsc;

struct Console {
    messages: mpsc::Receiver<Msg>,
    requests: mpsc::Sender<Request>,
}

impl Console {
    fn start(socket: &Path) -> Self {
        let (out, messages) = mpsc::channel(64);
        let (requests, asked) = mpsc::channel(8);
        let (current, channel) = tokio::sync::watch::channel(None);
        let way = Way::Socket(socket.to_owned());
        tokio::spawn(ask::serve(way.clone(), channel, asked, out.clone()));
        tokio::spawn(watch::stream(way, None, current, out));
        Self { messages, requests }
    }

    async fn next(&mut self) -> Msg {
        let msg = tokio::time::timeout(Duration::from_secs(10), self.messages.recv()).await;
        msg.expect("a message in time").expect("the link lives")
    }

    async fn frame(&mut self) -> v1::WatchFrame {
        loop {
            match self.next().await {
                Msg::Frame(frame) => return *frame,
                Msg::Lost { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn lost(&mut self) -> String {
        loop {
            if let Msg::Lost { why, retry_in_ms } = self.next().await {
                assert!(retry_in_ms <= 500, "a local socket is tried again soon");
                return why;
            }
        }
    }

    async fn reply(&mut self) -> Reply {
        loop {
            if let Msg::Reply { reply, .. } = self.next().await {
                return reply;
            }
        }
    }
}

async fn watcher(fake: &mut Fake) -> Watcher {
    tokio::time::timeout(Duration::from_secs(10), fake.watchers.recv()).await.expect("in time").expect("a watcher")
}

async fn send(watcher: &Watcher, epoch: u64, seq: u64, frame: Frame) {
    watcher.frames.send(Ok(v1::WatchFrame { epoch, seq, frame: Some(frame) })).await.unwrap();
}

fn part() -> v1::Live {
    v1::Live { run: Some(run("paused")), ..v1::Live::default() }
}

#[tokio::test]
async fn a_daemon_that_comes_back_is_found_and_asked_from_where_we_were() {
    let (_dir, path) = socket();
    let mut console = Console::start(&path);
    assert!(console.lost().await.contains("no such socket"));
    let mut fake = Fake::start(&path, parts("running"));
    let first = watcher(&mut fake).await;
    assert_eq!((first.request.epoch, first.request.seq), (0, 0));
    send(&first, 7, 1, Frame::Snapshot(parts("running"))).await;
    send(&first, 7, 2, Frame::Delta(part())).await;
    assert_eq!(console.frame().await.seq, 1);
    assert_eq!(console.frame().await.seq, 2);
    drop(first);
    fake.stop().await;
    console.lost().await;
    let mut fake = Fake::start(&path, parts("running"));
    let again = watcher(&mut fake).await;
    assert_eq!((again.request.epoch, again.request.seq), (7, 2), "it resumes");
    send(&again, 7, 3, Frame::Delta(part())).await;
    assert_eq!(console.frame().await.seq, 3);
}

#[tokio::test]
async fn a_missing_frame_or_another_life_is_made_good_by_a_snapshot() {
    let (_dir, path) = socket();
    let mut fake = Fake::start(&path, parts("running"));
    let mut console = Console::start(&path);
    let mut stream = watcher(&mut fake).await;
    send(&stream, 7, 1, Frame::Snapshot(parts("running"))).await;
    console.frame().await;
    for (epoch, seq) in [(7, 3), (8, 2)] {
        send(&stream, epoch, seq, Frame::Delta(part())).await;
        stream = watcher(&mut fake).await;
        assert_eq!((stream.request.epoch, stream.request.seq), (0, 0), "from a snapshot");
        send(&stream, 9, 1, Frame::Snapshot(parts("running"))).await;
        assert_eq!(console.frame().await.epoch, 9);
    }
}

#[tokio::test]
async fn a_delta_before_any_snapshot_is_never_passed_on() {
    let (_dir, path) = socket();
    let mut fake = Fake::start(&path, parts("running"));
    let mut console = Console::start(&path);
    let stream = watcher(&mut fake).await;
    send(&stream, 7, 2, Frame::Delta(part())).await;
    let stream = watcher(&mut fake).await;
    send(&stream, 7, 5, Frame::Snapshot(parts("running"))).await;
    assert!(matches!(console.frame().await.frame, Some(Frame::Snapshot(_))));
}

#[tokio::test]
async fn a_pause_without_a_daemon_fails_as_not_sent() {
    let (_dir, path) = socket();
    let mut console = Console::start(&path);
    console.requests.send(Request::Pause { ticket: 1, run: String::new(), reason: "x".into() }).await.unwrap();
    let Reply::Failed(failure) = console.reply().await else { panic!("it can't have worked") };
    assert_eq!(failure.kind, FailureKind::NotSent);
}

#[tokio::test]
async fn a_pause_that_hangs_is_reported_within_its_deadline_as_uncertain() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    fake.script.lock().unwrap().hangs = true;
    let mut console = Console::start(&path);
    console.requests.send(Request::Pause { ticket: 1, run: String::new(), reason: "x".into() }).await.unwrap();
    let reply =
        tokio::time::timeout(Duration::from_secs(10), console.reply()).await.expect("its own deadline is far shorter");
    let Reply::Failed(failure) = reply else { panic!("it hangs") };
    assert_eq!(failure.kind, FailureKind::NoAnswer);
}

#[tokio::test]
async fn a_refused_pause_carries_the_daemons_words() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    fake.script.lock().unwrap().pause = Some(tonic::Status::permission_denied("operators only"));
    let mut console = Console::start(&path);
    console.requests.send(Request::Pause { ticket: 1, run: "r".into(), reason: "x".into() }).await.unwrap();
    let Reply::Failed(failure) = console.reply().await else { panic!("it was refused") };
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::NotPermitted, "operators only"));
    assert_eq!(fake.script.lock().unwrap().paused.len(), 1, "it is sent once");
}

#[test]
fn waits_never_grow_beyond_their_cap_and_begin_anew() {
    let mut local = Backoff::new(false);
    assert_eq!(local.wait(0), Duration::from_millis(250));
    for dice in 0..10_000_u32 {
        assert!(local.wait(dice) <= CAP_LOCAL);
    }
    local.reset();
    assert_eq!(local.wait(0), Duration::from_millis(250));
    let mut remote = Backoff::new(true);
    for dice in 0..10_000_u32 {
        let wait = remote.wait(dice.wrapping_mul(7_919));
        assert!(wait <= CAP_SSH && wait >= Duration::from_millis(125), "{wait:?}");
    }
}

#[test]
fn a_host_can_not_be_an_option_of_ssh() {
    for wrong in ["ssh://-oProxyCommand=x", "ssh://", "pay-prod-1", "ssh://a b", "ssh://a;b"] {
        assert!(Way::ssh(wrong, None).is_err(), "{wrong}");
    }
    assert!(Way::ssh("ssh://me@pay-prod-1", None).is_ok());
}

#[test]
fn heartbeats_show_what_was_missed() {
    let beat = |epoch, seq| v1::WatchFrame { epoch, seq, frame: Some(Frame::Heartbeat(v1::Heartbeat { now_ms: 1 })) };
    let mut place = Place { epoch: 7, seq: 4 };
    assert_eq!(place.step(&beat(7, 4)), Step::Take);
    assert_eq!(place.step(&beat(7, 3)), Step::Skip);
    assert_eq!(place.step(&beat(7, 5)), Step::Resync);
    assert_eq!(place.step(&beat(8, 4)), Step::Resync);
}
