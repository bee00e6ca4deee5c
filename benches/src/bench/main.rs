//! How fast the custodian is, end to end, beside the bare cipher work.
//!
//!     make bench
//!
//! The daemon is the real binary in a process of its own, with RocksDB, a durable log and mutual TLS over loopback; the Rust
//! client drives it from this process, on the same machine. One table goes to standard output and a summary into a file;
//! docs/benchmarks.md says what each case includes.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what it prints is what it is for"
)]

mod cases;
mod custodian;
mod floor;
mod growth;
mod load;
mod options;
mod outcome;
mod run;
mod subjects;
mod usage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tempfile::TempDir;

use cases::{CASES, Case};
use options::Options;
use outcome::{Outcome, table};
use run::Run;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        CASES.iter().for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    }
    let known = |name: &&String| CASES.iter().any(|case| case.name == name.as_str());
    if let Some(unknown) = options.only.iter().find(|name| !known(name)) {
        eprintln!("there is no case {unknown}; sluis-bench --list prints the names");
        return ExitCode::from(2);
    }
    if !options.growth && options.subjects > subjects::ALL {
        eprintln!(
            "there are {} BSNs, and so at most as many subjects; --growth has more",
            subjects::ALL
        );
        return ExitCode::from(2);
    }
    let name = match options.growth {
        true => "growth.json",
        false => "summary.json",
    };
    let json = options.json.clone();
    let json = json.unwrap_or_else(|| options::results().join(name));
    let (directory, _scratch) = match home(&options) {
        Ok(home) => home,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let written = match options.growth {
        true => {
            let steps = growth::measure(&mut Run::start(&directory, options.subjects));
            print!("{}", growth::table(&steps));
            let drawing = json.with_extension("svg");
            write_summary(&json, &steps)
                .and_then(|()| fs::write(&drawing, growth::drawing(&steps)))
                .map(|()| eprintln!("drawing: {}", drawing.display()))
        }
        false => {
            let outcomes = measure(&directory, &options);
            print!("{}", table(&outcomes));
            write_summary(&json, &outcomes)
        }
    };
    match written {
        Ok(()) => {
            eprintln!("summary: {}", json.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{} cannot be written: {error}", json.display());
            ExitCode::FAILURE
        }
    }
}

/// Where the custodian lives, and what removes it afterwards.
fn home(options: &Options) -> Result<(PathBuf, Option<TempDir>), String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(directory) = &options.directory {
        fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
        let mut entries = fs::read_dir(directory).map_err(|error| failed(directory, error))?;
        if entries.next().is_some() {
            return Err(format!("{} is not empty", directory.display()));
        }
        let directory = directory.canonicalize();
        let directory = directory.map_err(|error| format!("the directory: {error}"))?;
        return Ok((directory, None));
    }
    // Not in /tmp, which may be memory: a durable log needs a disk.
    let results = options::results();
    fs::create_dir_all(&results).map_err(|error| failed(&results, error))?;
    let scratch = tempfile::tempdir_in(&results).map_err(|error| failed(&results, error))?;
    Ok((scratch.path().to_owned(), Some(scratch)))
}

/// Runs the cases that were chosen.
fn measure(directory: &Path, options: &Options) -> Vec<Outcome> {
    let chosen = |case: &&Case| {
        options.only.is_empty() || options.only.iter().any(|name| name.as_str() == case.name)
    };
    let mut run = Run::start(directory, options.subjects);
    let mut outcomes = Vec::new();
    for case in CASES.iter().filter(chosen) {
        eprintln!("{} ...", case.name);
        let mut outcome = (case.measure)(&mut run);
        outcome.case = case.name;
        eprintln!("{}", outcome.line());
        outcomes.push(outcome);
    }
    outcomes
}

fn write_summary(path: &Path, outcomes: &impl serde::Serialize) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut text = serde_json::to_string_pretty(outcomes)?;
    text.push('\n');
    fs::write(path, text)
}
