//! The twin over HTTP, as JSON: its own pages, and the few calls of the API that a marketplace makes when it opens.
use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The twin answers from memory; it has many rows to write at most.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one base address.
#[derive(Debug)]
pub(crate) struct Fetch {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What a POST carries.
#[derive(Debug)]
pub(crate) enum Body {
    /// JSON, to the twin's own doors.
    Json(serde_json::Value),
    /// A form, to the API, with the key that it lets in.
    Form(String, &'static str),
}

impl Fetch {
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.to_owned(), client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let asked = hyper::Request::get(format!("{}{path}", self.base)).body(Full::default());
        self.ask(path, asked.context("a request that can't be made")?).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: Body) -> anyhow::Result<T> {
        let request = hyper::Request::post(format!("{}{path}", self.base));
        let asked = match body {
            Body::Json(value) => request.body(Full::from(value.to_string())),
            Body::Form(text, key) => (request.header("authorization", format!("Bearer {key}")))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Full::from(text)),
        };
        self.ask(path, asked.context("a request that can't be made")?).await
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, request: hyper::Request<Full<Bytes>>) -> anyhow::Result<T> {
        let (method, base) = (request.method().clone(), &self.base);
        let asked = async {
            let answer = self.client.request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            if !status.is_success() {
                bail!("answered {status}: {}", String::from_utf8_lossy(&body));
            }
            Ok(serde_json::from_slice(&body)?)
        };
        match tokio::time::timeout(TIMEOUT, asked).await {
            Ok(answer) => answer.with_context(|| format!("{method} {base}{path}")),
            Err(_) => bail!("{method} {base}{path}: no answer within {} s", TIMEOUT.as_secs()),
        }
    }
}
