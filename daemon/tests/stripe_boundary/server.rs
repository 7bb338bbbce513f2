//! A server that does to each request what the test says: answers, cuts, resets, closes, says nothing.
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What becomes of one request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// These bytes; the connection stays open.
    Answer(Vec<u8>),
    /// These bytes, then the connection is closed.
    AnswerAndClose(Vec<u8>),
    /// The connection is reset.
    Reset,
    /// The connection is closed.
    Close,
    /// Nothing, for ever.
    Hang,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Request line and headers, lower-cased.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Seen {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    /// Connections that both sides have closed.
    pub(crate) closed: usize,
}

pub(crate) struct Server {
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    counts: watch::Sender<Counts>,
}

impl Server {
    /// `act` is told the number of the request, from 0, over all connections.
    pub(crate) async fn start(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let counts = watch::Sender::new(Counts::default());
        let (act, to) = (Arc::new(act), (Arc::clone(&seen), counts.clone()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                to.1.send_modify(|counts| counts.connections += 1);
                let (act, to) = (Arc::clone(&act), to.clone());
                tokio::spawn(async move {
                    serve(stream, &*act, &to.0, &to.1).await;
                    to.1.send_modify(|counts| counts.closed += 1);
                });
            }
        });
        Self { base, seen, counts }
    }

    /// Always the same answer.
    pub(crate) async fn answering(answer: Vec<u8>) -> Self {
        Self::start(move |_| Act::Answer(answer.clone())).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }

    pub(crate) async fn wait(&self, wanted: impl FnMut(&Counts) -> bool) {
        self.counts.subscribe().wait_for(wanted).await.unwrap();
    }
}

async fn serve(
    mut stream: TcpStream,
    act: &(dyn Fn(usize) -> Act + Send + Sync),
    seen: &Mutex<Vec<Seen>>,
    counts: &watch::Sender<Counts>,
) {
    let mut buffer = Vec::new();
    while let Some(request) = request(&mut stream, &mut buffer).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        counts.send_modify(|counts| counts.requests += 1);
        match act(number) {
            Act::Answer(answer) => drop(stream.write_all(&answer).await),
            Act::AnswerAndClose(answer) => {
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
                // Until the other side has noticed.
                let _ = stream.read_to_end(&mut buffer).await;
                return;
            }
            Act::Reset => return stream.set_zero_linger().unwrap(),
            Act::Close => return,
            Act::Hang => std::future::pending().await,
        }
    }
}

async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let head = head.split("\r\n").map(lower_name).collect::<Vec<_>>().join("\n");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
                buffer.drain(..end + 4 + length);
                return Some(Seen { head, body });
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn lower_name(line: &str) -> String {
    match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_lowercase()),
        None => line.to_owned(),
    }
}

/// An answer with these headers beside the length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}
