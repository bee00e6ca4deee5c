//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::subjects;

const EXAMPLES: &str = "\
Examples:
  sluis-bench
  sluis-bench --only pseudonym-none --only unary-64
  sluis-bench --subjects 20000000 --directory /data/bench --json twenty-million.json
  sluis-bench --growth --subjects 100000000
  sluis-bench --list

A case that needs escrowed subjects sends them first, without counting the time. With --directory the files of the \
custodian stay there.";

/// Measures the real daemon end to end: values per second beside the bare cipher work.
#[derive(Parser, Debug)]
#[command(name = "sluis-bench", after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Run only this case; can be repeated
    #[arg(long, value_name = "CASE")]
    pub(crate) only: Vec<String>,
    /// Number of subjects that are escrowed
    #[arg(long, value_name = "N", default_value_t = 2_000_000,
          value_parser = clap::value_parser!(u64).range(1..=subjects::MOST))]
    pub(crate) subjects: u64,
    /// Instead of the cases: the rates while an escrow grows to N subjects, as a table, a summary and a drawing
    #[arg(long, conflicts_with = "only")]
    pub(crate) growth: bool,
    /// Where the summary is written; default: bench/summary.json in the target directory
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Where the custodian lives: a new or empty directory; default: one in the target directory, removed afterwards
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Print the names of the cases and end
    #[arg(long)]
    pub(crate) list: bool,
}

/// Where results go: `bench` in the target directory of this program.
pub(crate) fn results() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let target = program
        .ancestors()
        .nth(2)
        .expect("it lies in target/release");
    target.join("bench")
}
