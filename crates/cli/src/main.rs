//! The binary `sluis`. Everything is in the library, so that it can be tested.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    sluis_cli::Cli::parse().run().await
}
