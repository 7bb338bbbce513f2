//! A file of earnings: taken whole, checked whole, then imported in one transaction or not at all.
use super::{ControlDoor, REPLIES_MAX, words};
use crate::{
    doors::import,
    store::{
        door_types::{EarningRow, ImportError, RowError},
        types::By,
    },
};
use payout_proto::v1;
use std::fmt::Write as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// The largest file taken (bytes): some 500,000 rows.
const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Faults named in an answer; the rest is counted.
const FAULTS_MAX: usize = 20;
const FILE_NAME_CHARS_MAX: usize = 255;

type Replies = mpsc::Sender<Result<v1::ImportProgress, Status>>;

/// Imports what the client streams. Once the whole file is here it is finished also when the client has gone; a file cut short by a
/// client that broke off is dropped, and nothing of it is stored.
pub(super) fn import(
    door: ControlDoor,
    by: By,
    chunks: Streaming<v1::ImportChunk>,
) -> ReceiverStream<Result<v1::ImportProgress, Status>> {
    let (replies, stream) = mpsc::channel(REPLIES_MAX);
    tokio::spawn(async move {
        let last = match all(&door, &by, chunks, &replies).await {
            Ok(progress) => Ok(progress),
            Err(status) => {
                tracing::warn!(%by, "no earnings were imported: {}", status.message());
                Err(status)
            }
        };
        // A client that has gone doesn't hear it; the journal has it.
        let _ = replies.send(last).await;
    });
    ReceiverStream::new(stream)
}

async fn all(
    door: &ControlDoor,
    by: &By,
    chunks: Streaming<v1::ImportChunk>,
    replies: &Replies,
) -> Result<v1::ImportProgress, Status> {
    let (file_name, bytes) = collect(chunks).await?;
    let now_ms = door.desk.clock.now_ms();
    let parsed = tokio::task::spawn_blocking(move || import::parse_csv(&bytes, now_ms)).await;
    let rows: Vec<EarningRow> = parsed
        .map_err(|error| Status::internal(format!("the file could not be read: {error}")))?
        .map_err(|errors| faults(&errors))?;
    let checked = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let _ = replies.try_send(Ok(v1::ImportProgress { checked, written: 0, done: None }));
    let progress = |written: u64| {
        let written = i64::try_from(written).unwrap_or(i64::MAX);
        // A slow reader misses a step, never the end.
        let _ = replies.try_send(Ok(v1::ImportProgress { checked, written, done: None }));
    };
    let done = door.desk.store.import_earnings(&rows, &file_name, by, progress).await.map_err(|error| match error {
        ImportError::Rows(errors) => faults(&errors),
        ImportError::Store(error) => words::status(&error),
    })?;
    door.recorded();
    tracing::info!(%by, file = file_name, imported = done.imported, known = done.known, "earnings imported");
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let done = v1::ImportDone {
        imported: number(done.imported),
        known: number(done.known),
        creators: number(done.creators),
        seq: done.seq,
    };
    Ok(v1::ImportProgress { checked, written: checked, done: Some(done) })
}

async fn collect(mut chunks: Streaming<v1::ImportChunk>) -> Result<(String, Vec<u8>), Status> {
    let (mut name, mut bytes, mut whole) = (String::new(), Vec::new(), false);
    while let Some(chunk) = chunks.message().await? {
        if name.is_empty() {
            name = chunk.file_name.chars().filter(|c| !c.is_control()).take(FILE_NAME_CHARS_MAX).collect();
        }
        if bytes.len().saturating_add(chunk.data.len()) > FILE_BYTES_MAX {
            return Err(Status::invalid_argument(format!(
                "the file has more than {} MiB: import it in parts",
                FILE_BYTES_MAX / (1024 * 1024)
            )));
        }
        bytes.extend_from_slice(&chunk.data);
        whole = chunk.last;
    }
    // A client that dies may well end its stream like one that is done.
    if !whole {
        return Err(Status::invalid_argument(
            "the file ended without its last part: nothing was imported; import it again",
        ));
    }
    Ok((name, bytes))
}

fn faults(errors: &[RowError]) -> Status {
    let mut text = "nothing was imported".to_owned();
    for error in errors.iter().take(FAULTS_MAX) {
        // Writing to a String doesn't fail.
        let _ = write!(text, "\n{error}");
    }
    if errors.len() > FAULTS_MAX {
        let _ = write!(text, "\nand {} more", errors.len() - FAULTS_MAX);
    }
    Status::invalid_argument(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_faults_are_named_by_line_and_column_and_the_rest_is_counted() {
        let error = |line| RowError { line, column: "gross_minor", what: "not a number".to_owned() };
        let status = faults(&(2..32).map(error).collect::<Vec<_>>());
        let lines: Vec<&str> = status.message().lines().collect();
        assert_eq!(lines[..2], ["nothing was imported", "line 2, gross_minor: not a number"]);
        assert_eq!((lines.len(), lines[21]), (22, "and 10 more"));
    }
}
