//! One GET of the twin's own pages, as JSON.
use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::time::Duration;

/// The twin answers from memory; it has many rows to write at most.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one base address.
#[derive(Debug)]
pub(crate) struct Fetch {
    base: String,
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl Fetch {
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.to_owned(), client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub(crate) async fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.base);
        let asked = async {
            let answer = self.client.get(url.parse()?).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            if !status.is_success() {
                bail!("answered {status}: {}", String::from_utf8_lossy(&body));
            }
            Ok(serde_json::from_slice(&body)?)
        };
        match tokio::time::timeout(TIMEOUT, asked).await {
            Ok(answer) => answer.with_context(|| format!("GET {url}")),
            Err(_) => bail!("GET {url}: no answer within {} s", TIMEOUT.as_secs()),
        }
    }
}
