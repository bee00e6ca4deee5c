//! `sluis dev sample-data`: two care providers' files about overlapping patients.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::bsn;
use super::patient::{Patient, Population, Visit};
use super::random::{Random, Shuffle};
use crate::data::Target;
use crate::error::{CliError, Exit};
use crate::output;

const HEADER: [&str; 8] = [
    "bsn",
    "email",
    "name",
    "birth_date",
    "postcode",
    "diagnosis",
    "visit_date",
    "city",
];

/// FOR DEVELOPMENT ONLY: write synthetic patients of two care providers, some of them known to both
///
/// hospital-north.csv is comma-separated, gp-south.csv semicolon-separated. BSNs are valid test numbers (9xxxxxxxx). A
/// patient known to both has the same bsn, email, name, birth date, postcode and city in both. The same seed gives the same
/// files.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis dev sample-data data
  sluis dev sample-data data --patients 1000000 --seed 7 --overlap 50 --force")]
pub(crate) struct SampleDataArgs {
    /// Where to put the files
    directory: PathBuf,
    /// Number of different patients
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=bsn::COUNT))]
    patients: u64,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many per cent of the patients both know; the others are split evenly
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=100))]
    overlap: u64,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

/// A care provider's file.
struct Provider {
    file: &'static str,
    delimiter: u8,
    number: u64,
}

/// What was written: how many patients are in both files, and the files with their numbers of rows.
struct Made {
    both: u64,
    files: [(PathBuf, u64); 2],
}

const HOSPITAL: Provider = Provider {
    file: "hospital-north.csv",
    delimiter: b',',
    number: 1,
};
const GP: Provider = Provider {
    file: "gp-south.csv",
    delimiter: b';',
    number: 2,
};

impl SampleDataArgs {
    pub(crate) fn run(self) -> Result<Exit, CliError> {
        let made = self.make()?;
        self.report(&made)?;
        Ok(Exit::Done)
    }

    fn make(&self) -> Result<Made, CliError> {
        fs::create_dir_all(&self.directory).map_err(CliError::writing(&self.directory))?;
        for provider in [&HOSPITAL, &GP] {
            Target::check(&self.path(provider), self.force)?;
        }
        let both = self.patients * self.overlap / 100;
        // Patients 0..both are known to both, the next ones to the hospital only, the rest to the GP only.
        let hospital_end = both + (self.patients - both).div_ceil(2);
        let gp_rows = both + self.patients - hospital_end;
        self.write(&HOSPITAL, hospital_end, |i| i)?;
        self.write(&GP, gp_rows, |i| {
            if i < both { i } else { hospital_end + i - both }
        })?;
        Ok(Made {
            both,
            files: [
                (self.path(&HOSPITAL), hospital_end),
                (self.path(&GP), gp_rows),
            ],
        })
    }

    /// Writes `rows` rows, in an order of the provider's own; `patient` says who is the provider's `i`-th patient.
    fn write(
        &self,
        provider: &Provider,
        rows: u64,
        patient: impl Fn(u64) -> u64,
    ) -> Result<(), CliError> {
        let path = self.path(provider);
        let population = Population::new(self.seed);
        let order = Shuffle::new(rows, &mut Random::seeded(&[self.seed, 3, provider.number]));
        let records = (0..rows).map(|row| {
            let index = patient(order.at(row));
            (
                population.patient(index),
                population.visit(index, provider.number),
            )
        });
        let mut target = Target::create(&path, self.force, false)?;
        write_csv(target.stream(), provider.delimiter, records)
            .map_err(|error| CliError::writing(&path)(error.into()))?;
        target.finish()
    }

    fn report(&self, made: &Made) -> Result<(), CliError> {
        if self.json {
            let files: Vec<_> = made
                .files
                .iter()
                .map(|(path, rows)| json!({ "path": path, "rows": rows }))
                .collect();
            return output::json(
                &json!({ "patients": self.patients, "known_to_both": made.both, "files": files }),
            );
        }
        for (path, rows) in &made.files {
            output::line(format!("{}: {rows} rows", path.display()))?;
        }
        output::line(format!(
            "{} synthetic patients, {} of them in both files",
            self.patients, made.both
        ))
    }

    fn path(&self, provider: &Provider) -> PathBuf {
        self.directory.join(provider.file)
    }
}

fn write_csv(
    stream: impl Write,
    delimiter: u8,
    records: impl Iterator<Item = (Patient, Visit)>,
) -> Result<(), csv::Error> {
    let file = BufWriter::new(stream);
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .from_writer(file);
    writer.write_record(HEADER)?;
    for (patient, visit) in records {
        writer.write_record([
            patient.bsn.as_str(),
            &patient.email,
            &patient.name,
            &patient.birth_date,
            &patient.postcode,
            visit.diagnosis,
            &visit.visit_date,
            patient.city,
        ])?;
    }
    writer.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn make(patients: u64, overlap: u64, seed: u64) -> tempfile::TempDir {
        let scratch = tempfile::tempdir().expect("scratch");
        let directory = scratch.path().to_owned();
        SampleDataArgs {
            directory,
            patients,
            seed,
            overlap,
            force: false,
            json: false,
        }
        .make()
        .expect("written");
        scratch
    }

    fn rows(directory: &tempfile::TempDir, provider: &Provider) -> HashMap<String, Vec<String>> {
        let path = directory.path().join(provider.file);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(provider.delimiter)
            .from_path(path)
            .expect("there");
        assert_eq!(
            reader.headers().expect("header"),
            &csv::StringRecord::from(HEADER.to_vec())
        );
        let row = |record: csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
        reader
            .records()
            .map(|record| row(record.expect("a record")))
            .map(|r| (r[0].clone(), r))
            .collect()
    }

    #[test]
    fn a_patient_of_both_is_the_same_person_in_both() {
        let scratch = make(1_000, 30, 5);
        let (north, south) = (rows(&scratch, &HOSPITAL), rows(&scratch, &GP));
        assert_eq!((north.len(), south.len()), (650, 650));
        let everybody: HashSet<_> = north.keys().chain(south.keys()).collect();
        assert_eq!(everybody.len(), 1_000);
        for (bsn, row) in &north {
            let Some(other) = south.get(bsn) else {
                continue;
            };
            assert_eq!((&row[..5], &row[7]), (&other[..5], &other[7]));
        }
    }

    #[test]
    fn files_that_are_there_are_replaced_by_force_only() {
        let scratch = make(10, 10, 5);
        let again = |force| SampleDataArgs {
            directory: scratch.path().to_owned(),
            patients: 20,
            seed: 5,
            overlap: 10,
            force,
            json: false,
        };
        let refused = again(false).make().err();
        assert!(matches!(refused, Some(CliError::Usage(_))));
        assert_eq!(rows(&scratch, &GP).len(), 5);
        again(true).make().expect("replaced");
        assert_eq!(rows(&scratch, &GP).len(), 11);
    }

    #[test]
    fn the_seed_decides_everything() {
        let bytes =
            |scratch: tempfile::TempDir| fs::read(scratch.path().join(GP.file)).expect("there");
        assert_eq!(bytes(make(200, 10, 5)), bytes(make(200, 10, 5)));
        assert_ne!(bytes(make(200, 10, 5)), bytes(make(200, 10, 6)));
    }

    #[test]
    fn overlap_may_be_nothing_or_everything() {
        for (overlap, expected) in [(0, (51, 50)), (100, (101, 101))] {
            let scratch = make(101, overlap, 1);
            assert_eq!(
                (rows(&scratch, &HOSPITAL).len(), rows(&scratch, &GP).len()),
                expected
            );
        }
        assert_eq!(rows(&make(1, 0, 1), &GP).len(), 0);
    }
}
