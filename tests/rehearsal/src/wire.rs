//! A wire that can be cut: what connects to its port reaches a target, unless it is cut or swallows everything. Before a database it
//! is one daemon's way there, before several daemons it is the balancer.
//!
//! Invariant: what a wire swallowed is never delivered, and its two ends are never told.
use crate::commands::Away;
use anyhow::Context;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// How the wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Everything passes.
    Fair,
    /// Connections break, and new ones are closed at once.
    Cut,
    /// Connections stand, and nothing passes, ever; new ones likewise.
    Swallows,
}

/// A port and what is behind it.
#[derive(Debug)]
pub struct Wire {
    /// Where it listens.
    pub port: u16,
    weather: watch::Sender<Weather>,
    task: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    /// Listens on 127.0.0.1, on a port that the kernel chooses, and leads to the target.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub async fn to(target: (String, u16)) -> anyhow::Result<Self> {
        Self::listen(0, vec![target], Away::default()).await
    }

    /// Listens on this port and leads to each of the targets in turn, past those that are away or refuse.
    ///
    /// # Errors
    /// When the port can't be listened on.
    pub async fn listen(port: u16, targets: Vec<(String, u16)>, away: Away) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(("127.0.0.1", port)).await.with_context(|| format!("listening on port {port}"))?;
        let port = listener.local_addr().context("asking for a wire's port")?.port();
        let (weather, seen) = watch::channel(Weather::Fair);
        let task = tokio::spawn(async move {
            // With the wire go its connections.
            let mut connections = JoinSet::new();
            let mut turn = 0;
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(carry(client, targets.clone(), turn, away.clone(), seen.clone()));
                turn += 1;
            }
        });
        Ok(Self { port, weather, task })
    }

    /// From now on.
    pub fn is(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn carry(
    mut client: TcpStream,
    targets: Vec<(String, u16)>,
    turn: usize,
    away: Away,
    mut weather: watch::Receiver<Weather>,
) {
    let now = *weather.borrow();
    match now {
        Weather::Cut => return,
        Weather::Swallows => {}
        Weather::Fair => {
            let Some(mut server) = connect(&targets, turn, &away).await else { return };
            // Small questions and small answers: a wire must not add the 40 ms of a delayed acknowledgement to each.
            if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
                return;
            }
            let became = tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => return,
                became = weather.wait_for(|weather| *weather != Weather::Fair) => became.map_or(Weather::Cut, |weather| *weather),
            };
            if became == Weather::Swallows {
                std::future::pending::<()>().await;
            }
            return;
        }
    }
    // Both ends stay open, and nobody reads.
    std::future::pending::<()>().await;
}

async fn connect(targets: &[(String, u16)], turn: usize, away: &Away) -> Option<TcpStream> {
    for step in 0..targets.len() {
        let number = (turn + step) % targets.len();
        if away.has(number) {
            continue;
        }
        let Some((host, port)) = targets.get(number) else { continue };
        if let Ok(server) = TcpStream::connect((host.as_str(), *port)).await {
            return Some(server);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        port
    }

    async fn says(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_u8(7).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn a_cut_wire_breaks_and_refuses_and_is_whole_again() {
        let wire = Wire::to(("127.0.0.1".to_owned(), echo().await)).await.unwrap();
        let mut old = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
        assert_eq!(says(&mut old).await.unwrap(), 7);
        wire.is(Weather::Cut);
        assert!(old.read_u8().await.is_err());
        let mut new = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
        assert!(new.read_u8().await.is_err());
        wire.is(Weather::Fair);
        let mut new = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
        assert_eq!(says(&mut new).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_was_swallowed_never_comes_back() {
        let wire = Wire::to(("127.0.0.1".to_owned(), echo().await)).await.unwrap();
        let mut old = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
        assert_eq!(says(&mut old).await.unwrap(), 7);
        wire.is(Weather::Swallows);
        let silent = tokio::time::timeout(Duration::from_millis(200), says(&mut old));
        assert!(silent.await.is_err(), "something passed");
        wire.is(Weather::Fair);
        let silent = tokio::time::timeout(Duration::from_millis(200), old.read_u8());
        assert!(silent.await.is_err(), "it came after all, or was told");
        let mut new = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
        assert_eq!(says(&mut new).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_balancer_passes_by_who_is_away() {
        let away = Away::default();
        let targets = vec![("127.0.0.1".to_owned(), 1), ("127.0.0.1".to_owned(), echo().await)];
        let wire = Wire::listen(0, targets, away.clone()).await.unwrap();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
            assert_eq!(says(&mut stream).await.unwrap(), 7);
        }
        away.set(1, true);
        let mut stream = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
        assert!(stream.read_u8().await.is_err());
    }
}
