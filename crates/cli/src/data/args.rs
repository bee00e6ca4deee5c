//! Flags that all commands on record files share.

use std::path::{Path, PathBuf};

use clap::Args;
use sluis_client::Spelling;

use super::run_file;
use super::target::{Target, partial, place};
use crate::error::CliError;
use crate::formats::Options;
use crate::formats::csv::{Delimiter, Encoding};

/// Most batches that are kept in memory, whatever the custodian allows.
pub(crate) const MAX_IN_FLIGHT: usize = 16;

/// Flags that all commands on record files share.
#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    /// CSV file with a header line; - for standard input [default: -]
    #[arg(value_name = "INPUT")]
    positional: Option<PathBuf>,
    /// The same as INPUT
    #[arg(
        long = "input",
        short = 'i',
        value_name = "FILE",
        conflicts_with = "positional"
    )]
    input: Option<PathBuf>,
    /// Where the result goes; - for standard output. Written under another name and renamed when it is complete
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// CSV file for rejected rows: line, row, element, reason (never the value). They are left out of the result
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    /// If the run fails, keep the rows that were answered, as OUTPUT.partial (and rejected rows likewise). Otherwise a
    /// run that fails leaves no part of a file
    #[arg(long)]
    pub(crate) keep_partial: bool,
    /// Character between values, or `tab` [default: the most frequent of , ; tab | in the header line]
    #[arg(long, value_name = "CHAR")]
    delimiter: Option<Delimiter>,
    /// Encoding of the input; the result has the same
    #[arg(long, value_enum, default_value_t)]
    encoding: Encoding,
    /// Most rows of one batch
    #[arg(long, value_name = "ROWS", default_value_t = 8192, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) batch_rows: u32,
    /// No progress and no summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Summary as JSON on standard output, or on standard error when the result goes to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of commands that count under a grant.
#[derive(Args, Debug)]
pub(crate) struct ResumeArgs {
    /// Repeat a run that failed, with the same input and flags: what was counted is not counted again
    #[arg(long)]
    pub(crate) resume: bool,
    /// Where the id of the run is kept until the run is complete [default: OUTPUT.sluis-run]. Without an output file it
    /// is kept only if this names a file
    #[arg(long, value_name = "FILE")]
    run_file: Option<PathBuf>,
}

impl ResumeArgs {
    /// Where the id of the run is kept; `None` for a run that cannot be repeated.
    pub(crate) fn run_file(&self, files: &FileArgs) -> Option<PathBuf> {
        if self.run_file.is_some() {
            return self.run_file.clone();
        }
        let output = files.output_path()?;
        let is_device = std::fs::metadata(output).is_ok_and(|found| !found.is_file());
        (!is_device).then(|| run_file::beside(output))
    }
}

/// Where a command writes.
pub(crate) struct Targets {
    /// The result.
    pub(crate) output: Target,
    /// The rejected rows, if they are wanted.
    pub(crate) rejects: Option<Target>,
}

impl Targets {
    /// What to say when the run is interrupted.
    pub(crate) fn interrupted(&self, keep: bool) -> String {
        match self.output.unfinished() {
            None if keep => "interrupted; the output is not complete".to_owned(),
            None => "interrupted; no file was written".to_owned(),
            Some(name) => format!(
                "interrupted; what was written to {} is not complete",
                name.display()
            ),
        }
    }

    /// What is written so far is whole batches.
    pub(crate) fn are_whole(&mut self) {
        self.output.is_whole();
        self.rejects.iter_mut().for_each(Target::is_whole);
    }

    /// Keeps the whole batches that were written, under names of their own. Where the output is.
    pub(crate) fn keep(self) -> Result<Option<PathBuf>, CliError> {
        if let Some(rejects) = self.rejects {
            rejects.keep()?;
        }
        self.output.keep()
    }

    /// What a process that ends without destructors must remove.
    pub(crate) fn hidden_names(&self) -> Vec<PathBuf> {
        let targets = [Some(&self.output), self.rejects.as_ref()]
            .into_iter()
            .flatten();
        targets
            .filter_map(Target::hidden_name)
            .map(Path::to_path_buf)
            .collect()
    }
}

impl FileArgs {
    /// The input file; `None` for standard input.
    pub(crate) fn input_path(&self) -> Option<&Path> {
        not_dash(&self.positional).or(not_dash(&self.input))
    }

    /// What the flags say about the input.
    pub(crate) fn options(&self, spelling: Spelling) -> Options {
        Options {
            delimiter: self.delimiter,
            encoding: self.encoding,
            spelling,
        }
    }

    /// Whether an input was named, be it `-`.
    pub(crate) fn input_is_given(&self) -> bool {
        self.positional.is_some() || self.input.is_some()
    }

    /// The output file; `None` for standard output.
    pub(crate) fn output_path(&self) -> Option<&Path> {
        (self.output.as_os_str() != "-").then_some(&*self.output)
    }

    /// The file for rejected rows.
    pub(crate) fn rejects_path(&self) -> Option<&Path> {
        self.rejects.as_deref()
    }

    /// Refuses what could not be written at the end, before anything is done. `run_file`: where the id of the run is kept.
    pub(crate) fn check_targets(&self, run_file: Option<&Path>) -> Result<(), CliError> {
        let (output, rejects) = (self.output_path(), self.rejects_path());
        if rejects.is_some_and(|path| path.as_os_str() == "-") {
            return Err(CliError::usage("--rejects needs a file"));
        }
        if output.is_some() && output.map(place) == rejects.map(place) {
            return Err(CliError::usage("--output and --rejects name the same file"));
        }
        // A pipe or device may well be both; a regular file would be lost.
        let input = self.input_path().filter(|path| path.is_file());
        for (flag, target) in [("--output", output), ("--rejects", rejects)] {
            if target.is_some() && input.map(place) == target.map(place) {
                return Err(CliError::usage(format!(
                    "{flag} is the input file, which would be lost; choose another name"
                )));
            }
        }
        if let Some(run_file) = run_file {
            self.check_run_file(run_file)?;
        }
        [output, rejects]
            .into_iter()
            .flatten()
            .try_for_each(|path| Target::check(path, self.force))
    }

    /// Refuses a run file that is another file of the run: it is removed when the run is complete.
    fn check_run_file(&self, run_file: &Path) -> Result<(), CliError> {
        let targets = [self.output_path(), self.rejects_path()];
        let parts = targets.map(|target| target.map(partial));
        let others = targets.into_iter().chain([self.input_path()]).flatten();
        let mut others = others.chain(parts.iter().flatten().map(PathBuf::as_path));
        let at = place(run_file);
        match others.find(|other| place(other) == at) {
            None => Ok(()),
            Some(other) => Err(CliError::usage(format!(
                "--run-file {} is {}, which the run reads or writes; the run file is removed at the end, so choose another name",
                run_file.display(),
                other.display()
            ))),
        }
    }

    /// The run is complete: what an earlier try kept of it is in the way.
    pub(crate) fn remove_partial(&self) {
        let outputs = [self.output_path(), self.rejects_path()];
        for output in outputs.into_iter().flatten() {
            // There is one only if an earlier try kept it.
            let _ = std::fs::remove_file(partial(output));
        }
    }

    /// Begins to write. `private`: the result is for the eyes of the caller's account only.
    pub(crate) fn open_targets(&self, private: bool) -> Result<Targets, CliError> {
        let output = match self.output_path() {
            Some(path) => Target::create(path, self.force, private)?,
            None => Target::stdout(),
        };
        let rejects = self
            .rejects_path()
            .map(|path| Target::create(path, self.force, false))
            .transpose()?;
        Ok(Targets { output, rejects })
    }
}

/// `-` is standard input or output.
fn not_dash(path: &Option<PathBuf>) -> Option<&Path> {
    path.as_deref().filter(|path| path.as_os_str() != "-")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        files: FileArgs,
        #[command(flatten)]
        resume: ResumeArgs,
    }

    fn checked(arguments: &[&str]) -> Result<(), CliError> {
        let program = ["sluis"].into_iter().chain(arguments.iter().copied());
        let flags = Flags::try_parse_from(program).expect("flags");
        let run_file = flags.resume.run_file(&flags.files);
        flags.files.check_targets(run_file.as_deref())
    }

    #[test]
    fn a_run_file_that_is_the_result_or_another_file_of_the_run_is_refused() {
        let directory = tempfile::tempdir().expect("writable");
        let file = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(file("in.csv"), "token\n").expect("writable");
        let other_way = format!("{}/./out.csv", directory.path().display());
        let (input, output, rejects) = (file("in.csv"), file("out.csv"), file("rejects.csv"));
        let names = [&*input, "-o", &output, "--rejects", &rejects];
        for run_file in [
            &input,
            &output,
            &other_way,
            &rejects,
            &file("out.csv.partial"),
            &file("rejects.csv.partial"),
        ] {
            for force in [&[][..], &["--force"]] {
                let run = ["--run-file", run_file];
                let error = checked(&[&names[..], &run, force].concat()).expect_err(run_file);
                assert!(
                    matches!(&error, CliError::Usage(text) if text.contains("--run-file")),
                    "{error}"
                );
            }
        }
        let run = ["--run-file", &file("run")];
        assert!(checked(&[&names[..], &run].concat()).is_ok());
        assert!(checked(&names).is_ok());
    }
}
