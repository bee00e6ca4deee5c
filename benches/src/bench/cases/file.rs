//! A file through the command line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use crate::custodian::SOURCE;
use crate::floor::Floor;
use crate::outcome::Outcome;
use crate::run::{Run, median};
use crate::subjects::bsn;

const ROWS: u64 = 1_000_000;
const ROUNDS: u64 = 3;

/// A million rows of six columns, one of them with escrow.
pub(crate) fn million_rows(run: &mut Run) -> Outcome {
    let floor = Floor::Escrow.per_second();
    let input = run.custodian.file("in.csv");
    let output = run.custodian.file("out.csv");
    let sluis = run.custodian.sluis(SOURCE);
    let text = |path: &Path| path.display().to_string();
    let (input_name, output_name) = (text(&input), text(&output));
    let arguments = [
        "pseudonymise",
        &input_name,
        "--chain",
        "bench-file",
        "-o",
        &output_name,
        "--force",
        "--quiet",
    ];
    let mut seconds = Vec::new();
    let mut busy = Vec::new();
    for round in 0..ROUNDS {
        write_rows(&input, round * ROWS).expect("room on the disk");
        let started = Instant::now();
        let (_, cores) = run.observed(|| sluis.ok(&arguments));
        seconds.push(started.elapsed().as_secs_f64());
        busy.push(cores);
    }
    let cores = busy[busy.len() / 2];
    let seconds = median(seconds);
    let includes = format!(
        "`sluis pseudonymise` from its start to its end on a CSV file of {ROWS} rows and 6 columns: BSN with escrow (new \
         subjects), two generalised, three kept; median of {ROUNDS} files; the floor is that of the BSNs alone"
    );
    Outcome {
        seconds: Some(seconds),
        ..Outcome::rate(ROWS as f64 / seconds, floor, includes)
    }
    .with_cores(cores)
}

/// Rows with subjects from number `first` on.
fn write_rows(path: &Path, first: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b"bsn,birth_date,postcode,diagnosis,visit_date,ward\n")?;
    for number in first..first + ROWS {
        file.write_all(&bsn(number))?;
        writeln!(
            file,
            ",{}-{:02}-{:02},{}AB,E{:02}.{},2026-{:02}-{:02},ward {}",
            1930 + number % 80,
            1 + number % 12,
            1 + number % 28,
            1000 + number % 9000,
            number % 90,
            number % 10,
            1 + number % 11,
            1 + number % 27,
            number % 40
        )?;
    }
    file.flush()
}
