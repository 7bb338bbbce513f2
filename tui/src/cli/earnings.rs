//! `payout earnings import FILE.csv`: the file goes up in chunks, progress comes down, and half a file is never imported.
//!
//! Invariant: the last chunk is called the last only when the file was read to its end; without it the daemon imports nothing. After a read
//! error the stream is left open and the call is dropped.
use super::{
    error::{Error, aside},
    session::Session,
};
use crate::text;
use payout_proto::v1;
use std::{io::IsTerminal, path::Path, pin::Pin};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::{mpsc, oneshot},
};
use tokio_stream::wrappers::ReceiverStream;

/// Bytes of one chunk.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait for the daemon.
const CHUNKS_MAX: usize = 8;

type Source = Pin<Box<dyn AsyncRead + Send>>;

pub(super) async fn import(session: &Session, file: &Path) -> Result<(), Error> {
    let is_stdin = file.as_os_str() == "-";
    let name = if is_stdin { "stdin".to_owned() } else { file.display().to_string() };
    let tried = format!("import of {name}");
    // The file first: a daemon isn't needed to see that it can't be read.
    let source: Source = if is_stdin {
        Box::pin(tokio::io::stdin())
    } else {
        let opened = tokio::fs::File::open(file)
            .await
            .map_err(|error| Error::failed(format!("{tried}: it can't be opened: {error}")))?;
        if opened.metadata().await.is_ok_and(|about| about.is_dir()) {
            return Err(Error::failed(format!("{tried}: it is a directory")));
        }
        Box::pin(opened)
    };
    let mut client = session.acting(&tried).await?;
    let (chunks, queue) = mpsc::channel(CHUNKS_MAX);
    let (broke, broken) = oneshot::channel();
    tokio::spawn(read(source, name, chunks, broke));
    let work = async {
        let place = session.way.to_string();
        let failed = |status: tonic::Status| Error::of(&tried, &place, &status);
        let mut progress = client.import_earnings(ReceiverStream::new(queue)).await.map_err(failed)?.into_inner();
        let mut done = None;
        while let Some(step) = progress.message().await.map_err(failed)? {
            tell(&step);
            done = step.done.or(done);
        }
        done.ok_or_else(|| {
            Error::failed(format!("{tried}: the daemon ended without saying that it was done; ask `payout status`"))
        })
    };
    let done = tokio::select! {
        biased;
        Ok(error) = broken => return Err(Error::failed(format!("{tried}: it can't be read to its end: {error}; nothing was imported"))),
        done = work => done?,
    };
    session.print(
        || serde_json::json!({"imported": done.imported, "known": done.known, "creators": done.creators, "seq": done.seq}),
        || {
            vec![format!(
                "{} imported, {} known already, {} creators (#{})",
                text::count(done.imported),
                text::count(done.known),
                text::count(done.creators),
                done.seq
            )]
        },
    )
}

fn tell(step: &v1::ImportProgress) {
    if std::io::stderr().is_terminal() && step.done.is_none() {
        aside(&format!("\rchecked {}, written {} ", text::count(step.checked), text::count(step.written)));
    } else if std::io::stderr().is_terminal() {
        aside(&format!("\r{}\r", " ".repeat(60)));
    }
}

async fn read(
    mut source: Source,
    file_name: String,
    chunks: mpsc::Sender<v1::ImportChunk>,
    broke: oneshot::Sender<std::io::Error>,
) {
    let mut file_name = Some(file_name);
    loop {
        let mut data = vec![0; CHUNK_BYTES];
        match source.read(&mut data).await {
            Ok(read) => {
                data.truncate(read);
                let chunk = v1::ImportChunk { data, file_name: file_name.take().unwrap_or_default(), last: read == 0 };
                if chunks.send(chunk).await.is_err() || read == 0 {
                    return;
                }
            }
            Err(error) => {
                let _ = broke.send(error);
                // Keeps the stream of chunks open until the call is dropped.
                chunks.closed().await;
                return;
            }
        }
    }
}
