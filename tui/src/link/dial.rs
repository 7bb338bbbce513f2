//! Connections: a Unix socket on this machine, or a child `ssh host payout dial-stdio` whose pipes are the connection.
//!
//! Who you are is the peer of the socket: on this machine your uid, over ssh the uid that ssh let in.
use hyper_util::rt::TokioIo;
use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf},
    net::UnixStream,
    process::{Child, ChildStdin, ChildStdout, Command},
};
use tonic::transport::{Channel, Endpoint, Uri};

/// A connection of this machine is there at once, or not at all.
const CONNECT_LOCAL: Duration = Duration::from_secs(2);
/// Over ssh there may be a handshake across the world, or a person who types a passphrase.
const CONNECT_SSH: Duration = Duration::from_secs(20);

/// The way to the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    Socket(PathBuf),
    Ssh {
        /// `[user@]host`
        host: String,
        /// The socket there, when it isn't the usual one.
        socket: Option<PathBuf>,
    },
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Ssh { host, .. } => write!(f, "ssh://{host}"),
        }
    }
}

/// May ssh ask for a passphrase? Only before the screen is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    Allowed,
    Forbidden,
}

impl Way {
    /// Reads `ssh://[user@]host`.
    ///
    /// # Errors
    /// A sentence, when it isn't one. A name that ssh could take for an option is refused.
    pub fn ssh(text: &str, socket: Option<PathBuf>) -> Result<Self, String> {
        let host = text.strip_prefix("ssh://").unwrap_or_default().trim_end_matches('/');
        let letters = |c: char| c.is_ascii_alphanumeric() || "-_.@:[]".contains(c);
        if host.is_empty() || host.starts_with('-') || !host.chars().all(letters) {
            return Err(format!("--host {text:?} isn't ssh://[user@]host"));
        }
        Ok(Self::Ssh { host: host.to_owned(), socket })
    }

    /// True over ssh.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        matches!(self, Self::Ssh { .. })
    }

    /// What to type before a command so that it takes the same way.
    #[must_use]
    pub fn command(&self, is_usual: bool) -> String {
        match self {
            Self::Socket(_) if is_usual => "payout".to_owned(),
            Self::Socket(path) => format!("payout --socket {}", crate::text::shell_word(&path.display().to_string())),
            Self::Ssh { host, .. } => format!("payout --host ssh://{host}"),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// A sentence: what was tried and why it failed.
    pub async fn connect(&self, asking: Asking) -> Result<Channel, String> {
        let limit = if self.is_remote() { CONNECT_SSH } else { CONNECT_LOCAL };
        let said: Arc<Mutex<String>> = Arc::default();
        let connector = {
            let (way, said) = (self.clone(), Arc::clone(&said));
            tower::service_fn(move |_: Uri| {
                let (way, said) = (way.clone(), Arc::clone(&said));
                async move { way.open(asking, said).await.map(TokioIo::new) }
            })
        };
        let endpoint = Endpoint::from_static("http://payoutd");
        match tokio::time::timeout(limit, endpoint.connect_with_connector(connector)).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err(format!("no connection within {} s{}", limit.as_secs(), last_words(&said))),
        }
    }

    async fn open(&self, asking: Asking, said: Arc<Mutex<String>>) -> io::Result<Stream> {
        match self {
            Self::Socket(path) => Ok(Stream::Socket(UnixStream::connect(path).await?)),
            Self::Ssh { host, socket } => spawn(host, socket.as_deref(), asking, said),
        }
    }
}

/// The deepest reason: the others only say that something failed.
fn explain(error: &dyn std::error::Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(deeper) = source {
        reason = deeper.to_string();
        source = deeper.source();
    }
    match reason.as_str() {
        text if text.contains("No such file") => "no such socket: is payoutd running?".to_owned(),
        text if text.contains("Connection refused") => "daemon socket refused".to_owned(),
        text if text.contains("Permission denied") => {
            "not permitted to open the socket (which group are you in?)".to_owned()
        }
        _ => reason,
    }
}

fn last_words(said: &Arc<Mutex<String>>) -> String {
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

fn spawn(host: &str, socket: Option<&Path>, asking: Asking, said: Arc<Mutex<String>>) -> io::Result<Stream> {
    let mut remote = "payout".to_owned();
    if let Some(socket) = socket {
        remote = format!("{remote} --socket {}", crate::text::shell_word(&socket.display().to_string()));
    }
    let mut command = Command::new("ssh");
    command.arg("-T");
    if asking == Asking::Forbidden {
        command.args(["-o", "BatchMode=yes"]);
    }
    command.arg("--").arg(host).arg(format!("{remote} dial-stdio"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let missing = || io::Error::other("ssh has no pipes");
    let (stdin, stdout) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
    if let Some(stderr) = child.stderr.take() {
        // A child that dies at once gives its reason only here.
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                *said.lock().unwrap_or_else(PoisonError::into_inner) = crate::text::cut(&line, 200);
            }
        });
    }
    Ok(Stream::Child(Box::new(Pipes { _child: child, stdin, stdout })))
}

/// A connection.
#[derive(Debug)]
enum Stream {
    Socket(UnixStream),
    Child(Box<Pipes>),
}

/// A child whose pipes are the connection. Dropping it ends the child.
#[derive(Debug)]
struct Pipes {
    _child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Child(pipes) => Pin::new(&mut pipes.stdout).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Child(pipes) => Pin::new(&mut pipes.stdin).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_flush(cx),
            Self::Child(pipes) => Pin::new(&mut pipes.stdin).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Child(pipes) => Pin::new(&mut pipes.stdin).poll_shutdown(cx),
        }
    }
}

/// `payout dial-stdio`: this process's stdin and stdout become the connection to the socket.
///
/// # Errors
/// The socket can't be reached, or broke.
pub async fn bridge(socket: &Path) -> io::Result<()> {
    let stream = UnixStream::connect(socket).await?;
    let (mut from_daemon, mut to_daemon) = stream.into_split();
    let up = async {
        let mut stdin = tokio::io::stdin();
        copy(&mut stdin, &mut to_daemon).await?;
        to_daemon.shutdown().await
    };
    let down = async {
        let mut stdout = tokio::io::stdout();
        copy(&mut from_daemon, &mut stdout).await
    };
    // Either end closing ends it: half a connection is of no use to HTTP/2.
    tokio::select! {
        done = up => done,
        done = down => done,
    }
}

async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
        to.flush().await?;
    }
}
