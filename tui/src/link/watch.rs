//! The watch stream, for as long as the console lives: dial, stream, and when it breaks or falls silent, again.
//!
//! Invariant: every loss is told at once, with the wait; nothing else than frames means "up".
use super::{
    Client,
    backoff::Backoff,
    dial::{Asking, Way},
    order::{Place, Step},
    sentence,
};
use crate::app::Msg;
use payout_proto::v1;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tonic::transport::Channel;

/// A stream that is silent for this long is given up and dialled anew. The screen says "stalled" long before.
const SILENCE: Duration = Duration::from_secs(8);

/// Why a stream ended.
enum End {
    Lost(String),
    /// A frame was missing: the same connection, from a snapshot.
    Resync,
    /// The console has gone.
    Closed,
}

/// Streams until the console has gone. `first` is a connection that was made before the screen was ours.
pub async fn stream(way: Way, first: Option<Channel>, current: watch::Sender<Option<Channel>>, out: mpsc::Sender<Msg>) {
    let mut place = Place::default();
    let mut backoff = Backoff::new(way.is_remote());
    let mut ready = first;
    let mut dice = std::process::id();
    loop {
        let dialled = match ready.take() {
            Some(channel) => Ok(channel),
            None => way.connect(Asking::Forbidden).await,
        };
        let why = match dialled {
            Err(why) => why,
            Ok(channel) => {
                current.send_replace(Some(channel.clone()));
                let why = match follow(channel, &mut place, &mut backoff, &out).await {
                    End::Lost(why) => why,
                    End::Resync => "frames were missing".to_owned(),
                    End::Closed => return,
                };
                // What is asked from now on dials for itself: the old connection may hang.
                current.send_replace(None);
                why
            }
        };
        dice = dice.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let wait = backoff.wait(dice >> 8);
        let retry_in_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        if out.send(Msg::Lost { why, retry_in_ms }).await.is_err() {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

/// Follows one connection; a missing frame is made good by a snapshot on the same connection, unless that is all there is.
async fn follow(channel: Channel, place: &mut Place, backoff: &mut Backoff, out: &mpsc::Sender<Msg>) -> End {
    let mut last = None;
    loop {
        match frames(&channel, place, backoff, out).await {
            End::Resync if last != Some(*place) => {
                *place = Place::default();
                last = Some(*place);
            }
            end @ (End::Resync | End::Lost(_) | End::Closed) => {
                if matches!(end, End::Resync) {
                    *place = Place::default();
                }
                return end;
            }
        }
    }
}

async fn frames(channel: &Channel, place: &mut Place, backoff: &mut Backoff, out: &mpsc::Sender<Msg>) -> End {
    let mut client = Client::new(channel.clone()).max_decoding_message_size(16 * 1024 * 1024);
    let request = v1::WatchRequest { run: String::new(), epoch: place.epoch, seq: place.seq };
    let silent = || End::Lost(format!("silent for {} s", SILENCE.as_secs()));
    let mut stream = match tokio::time::timeout(SILENCE, client.watch(request)).await {
        Err(_) => return silent(),
        Ok(Err(status)) => return End::Lost(sentence(&status)),
        Ok(Ok(stream)) => stream.into_inner(),
    };
    loop {
        let frame = match tokio::time::timeout(SILENCE, stream.message()).await {
            Err(_) => return silent(),
            Ok(Err(status)) => return End::Lost(sentence(&status)),
            Ok(Ok(None)) => return End::Lost("the daemon ended the stream".to_owned()),
            Ok(Ok(Some(frame))) => frame,
        };
        match place.step(&frame) {
            Step::Skip => {}
            Step::Resync => return End::Resync,
            Step::Take => {
                backoff.reset();
                if out.send(Msg::Frame(Box::new(frame))).await.is_err() {
                    return End::Closed;
                }
            }
        }
    }
}
