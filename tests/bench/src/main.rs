//! The binary: see the library.
use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    bench::run(&bench::Args::parse()).await
}
