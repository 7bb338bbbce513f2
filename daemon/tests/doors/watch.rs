//! The watch stream: over the socket, and where a follower's pace matters by its own hand.
use crate::room::{Room, somebody};
use payout_proto::v1::{self, WatchFrame, watch_frame::Frame};
use payoutd::tell::watch::{Follower, Place};
use std::sync::Arc;
use tonic::Streaming;

const NOW: &str = "2026-12-01T06:00:00Z";

async fn follow(room: &Room, place: Place) -> Streaming<WatchFrame> {
    let request = v1::WatchRequest { run: String::new(), epoch: place.epoch, seq: place.seq };
    room.client().await.watch(request).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<WatchFrame>) -> WatchFrame {
    stream.message().await.unwrap().unwrap()
}

/// The next frame that isn't a sign of life.
async fn next_news(stream: &mut Streaming<WatchFrame>) -> WatchFrame {
    loop {
        let frame = next(stream).await;
        if !matches!(frame.frame, Some(Frame::Heartbeat(_))) {
            return frame;
        }
    }
}

/// Something happens, and the feed looks.
async fn happen(room: &Room, reason: &str) {
    let store = room.store();
    if store.state().await.unwrap().paused {
        store.resume_all(&somebody(), reason).await.unwrap();
    } else {
        store.pause_all(&somebody(), reason).await.unwrap();
    }
    quiet(room).await;
    room.hand.advance(100);
}

/// No look is being taken: the feed sleeps for the tick, and until it may look again. Only then may time pass, since a look takes none.
async fn quiet(room: &Room) {
    room.changed.tell();
    room.hand.wait_until(|sleepers, _| sleepers == 2).await;
}

fn place(frame: &WatchFrame) -> Place {
    Place { epoch: frame.epoch, seq: frame.seq }
}

#[tokio::test]
async fn a_stream_begins_with_everything_and_goes_on_with_what_changed() {
    let room = Room::at(NOW).await;
    let mut stream = follow(&room, Place::default()).await;
    let Some(Frame::Snapshot(all)) = next(&mut stream).await.frame else { panic!("no snapshot") };
    let daemon = all.daemon.unwrap();
    assert_eq!((daemon.hostname.as_str(), daemon.paused, daemon.mode.as_str()), ("here", false, "test"));
    assert!(daemon.you.ends_with(&format!("({})", nix::unistd::getuid())));
    assert!(matches!(next(&mut stream).await.frame, Some(Frame::Heartbeat(_))));
    happen(&room, "bank is down").await;
    let Some(Frame::Delta(parts)) = next_news(&mut stream).await.frame else { panic!("no delta") };
    assert!(parts.daemon.unwrap().paused);
    assert!(parts.log.unwrap().lines[0].text.contains("bank is down"), "a milestone");
    assert_eq!((parts.run, parts.rate), (None, None), "what didn't change isn't told");
}

#[tokio::test]
async fn a_stream_resumes_without_a_gap() {
    let room = Room::at(NOW).await;
    let (mut stays, mut leaves) = (follow(&room, Place::default()).await, follow(&room, Place::default()).await);
    next_news(&mut stays).await;
    next_news(&mut leaves).await;
    happen(&room, "one").await;
    let left_at = place(&next_news(&mut leaves).await);
    assert_eq!(place(&next_news(&mut stays).await), left_at);
    drop(leaves);
    let mut missed = Vec::new();
    for reason in ["two", "three"] {
        happen(&room, reason).await;
        missed.push(next_news(&mut stays).await);
    }
    let mut back = follow(&room, left_at).await;
    let got = [next(&mut back).await, next(&mut back).await];
    assert_eq!(got.each_ref().map(|frame| frame.seq), [left_at.seq + 1, left_at.seq + 2]);
    assert_eq!(got.to_vec(), missed, "the very frames that it missed");
    let beat = next(&mut back).await;
    assert!(matches!(beat.frame, Some(Frame::Heartbeat(_))) && beat.seq == left_at.seq + 2);
    let mut stranger = follow(&room, Place { epoch: left_at.epoch ^ 2, seq: left_at.seq }).await;
    assert!(matches!(next(&mut stranger).await.frame, Some(Frame::Snapshot(_))), "of another life");
}

async fn follower(room: &Room) -> Follower {
    let watch = Arc::clone(&room.watch);
    tokio::spawn(async move { watch.run().await });
    room.watch.follow(None, Place::default()).await.unwrap()
}

#[tokio::test]
async fn a_heartbeat_comes_each_second_while_nothing_changes() {
    let room = Room::at(NOW).await;
    let mut follower = follower(&room).await;
    assert!(matches!(follower.next().await.unwrap().frame, Some(Frame::Snapshot(_))));
    let mut before = None;
    for _ in 0..5 {
        let frame = follower.next().await.unwrap();
        let Some(Frame::Heartbeat(beat)) = frame.frame else { panic!("{frame:?}") };
        if let Some(before) = before.replace(beat.now_ms) {
            assert!(beat.now_ms - before <= 1_000);
        }
        quiet(&room).await;
        room.hand.advance(1_000);
    }
}

#[tokio::test]
async fn a_lagging_watcher_gets_a_snapshot() {
    let room = Room::at(NOW).await;
    let mut slow = follower(&room).await;
    let mut quick = room.watch.follow(None, Place::default()).await.unwrap();
    while slow.next().await.is_some_and(|frame| !matches!(frame.frame, Some(Frame::Heartbeat(_)))) {}
    for n in 0..80 {
        happen(&room, &format!("change {n}")).await;
        while !matches!(quick.next().await.unwrap().frame, Some(Frame::Delta(_))) {}
    }
    let frame = slow.next().await.unwrap();
    let Some(Frame::Snapshot(all)) = &frame.frame else { panic!("{frame:?}") };
    assert!(all.log.as_ref().unwrap().lines[0].text.contains("change 79"), "as things stand now");
    assert!(frame.seq >= 80);
}

#[tokio::test]
async fn old_figures_are_said_to_be_old_and_signs_of_life_go_on() {
    let room = Room::at(NOW).await;
    let mut follower = follower(&room).await;
    while follower.next().await.is_some_and(|frame| !matches!(frame.frame, Some(Frame::Heartbeat(_)))) {}
    room.store().close().await;
    quiet(&room).await;
    room.hand.advance(100);
    let said = loop {
        if let Some(Frame::Delta(parts)) = &follower.next().await.unwrap().frame {
            break parts.daemon.clone().unwrap().degraded;
        }
    };
    assert!(said.iter().any(|said| said.starts_with("the figures shown are of 06:00:00Z")), "{said:?}");
    quiet(&room).await;
    room.hand.advance(1_000);
    while !matches!(follower.next().await.unwrap().frame, Some(Frame::Heartbeat(_))) {}
}

/// A look that succeeded late is no newer for that.
#[tokio::test]
async fn figures_that_nobody_could_renew_for_three_seconds_are_said_to_be_old() {
    let room = Room::at(NOW).await;
    let mut follower = follower(&room).await;
    while follower.next().await.is_some_and(|frame| !matches!(frame.frame, Some(Frame::Heartbeat(_)))) {}
    quiet(&room).await;
    // In one leap, as if the look before it had taken that long.
    room.hand.advance(9_000);
    let said = loop {
        if let Some(Frame::Delta(parts)) = &follower.next().await.unwrap().frame {
            break parts.daemon.clone().unwrap().degraded;
        }
    };
    assert!(said.iter().any(|said| said.starts_with("the figures shown are of 06:00:0")), "{said:?}");
}

#[tokio::test]
async fn one_run_can_be_watched_by_its_name_while_another_is_current() {
    let room = Room::at(NOW).await;
    let mut client = room.client().await;
    for cycle_date in ["2026-11-15", "2026-12-01"] {
        let start = v1::StartRunRequest { cycle_date: cycle_date.to_owned(), ..v1::StartRunRequest::default() };
        client.start_run(start).await.unwrap();
        room.hand.advance(1);
    }
    for (run, label) in [("2026-11-15#1", "2026-11-15#1"), ("", "2026-12-01#1")] {
        let request = v1::WatchRequest { run: run.to_owned(), epoch: 0, seq: 0 };
        let mut stream = client.watch(request).await.unwrap().into_inner();
        let Some(Frame::Snapshot(all)) = next(&mut stream).await.frame else { panic!("no snapshot") };
        assert_eq!(all.run.unwrap().label, label);
    }
    let unknown = v1::WatchRequest { run: "2020-01-01#1".to_owned(), epoch: 0, seq: 0 };
    assert_eq!(client.watch(unknown).await.unwrap_err().code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn streams_end_when_the_daemon_stops() {
    let room = Room::at(NOW).await;
    let mut stream = follow(&room, Place::default()).await;
    next_news(&mut stream).await;
    room.stop.cancel();
    while let Ok(Some(_)) = stream.message().await {}
}
