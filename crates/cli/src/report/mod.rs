//! `sluis report`: what the audit log says of a period, for people who must account for it.

mod chart;
mod gather;
mod html;
mod keys;
mod model;
mod period;
mod sections;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use sluis_client::v1::GetRegistryRequest;
use sluis_client::{Client, ClientError};
use sluis_domain::audit::Entry;
use sluis_domain::registry::Registry;
use sluis_domain::{ChainId, OrganisationId};

use crate::audit::directory::Directory;
use crate::audit::read::read_page;
use crate::clock;
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, Paint, Table};
use gather::Gather;
use model::Report;
use period::Day;

/// Who did what, for which purpose, in a period: batches, grants, refusals, keys, custody
///
/// Auditors report on the whole log or on one organisation, stewards with --own on theirs. From an export it takes no
/// custodian; verify the export first.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis report --from 2026-01-01 --to 2026-12-31
  sluis report --from 2026-11-01 --to 2026-11-30 --own --json
  sluis report --from 2026-01-01 --to 2026-12-31 --export audit-2026 --html report.html
  sluis report --from 2026-01-01 --to 2026-12-31 --organisation uni-research")]
pub(crate) struct ReportArgs {
    /// First day, UTC: YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    from: Day,
    /// Last day, UTC, included
    #[arg(long, value_name = "DATE")]
    to: Day,
    /// Only what concerns this organisation: acts of its members, its signatures, and acts on chains it owns
    #[arg(long, value_name = "ORG", conflicts_with = "own")]
    organisation: Option<OrganisationId>,
    /// Only what the custodian shows your organisation
    #[arg(long, conflicts_with = "export")]
    own: bool,
    /// Read the entries from this export instead of the custodian
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// Write the report as one HTML page without anything from elsewhere
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl ReportArgs {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        if self.to < self.from {
            return Err(CliError::usage("--to lies before --from"));
        }
        let report = match &self.export {
            Some(path) => self.of_export(&Directory::new(path))?,
            None => self.of_custodian().await?,
        };
        if let Some(path) = &self.html {
            fs::write(path, html::page(&report)).map_err(CliError::writing(path))?;
            output::note(format!("the report is in {}", path.display()));
        }
        if self.json {
            output::json(&report)?;
        } else if self.html.is_none() {
            print(&report)?;
        }
        Ok(Exit::Done)
    }

    fn gather(&self, owned: BTreeSet<ChainId>) -> Gather {
        Gather::new(
            self.from,
            self.to,
            self.organisation.clone(),
            owned,
            clock::now(),
        )
    }

    fn of_export(&self, directory: &Directory) -> Result<Report, CliError> {
        if !directory.path().is_dir() {
            return Err(CliError::input(format!(
                "{} is not a directory",
                directory.path().display()
            )));
        }
        let mut last = 0;
        if self.organisation.is_some() {
            directory.entries(|_, entry| last = last.max(entry.registry_version))?;
        }
        let owned = self.owned(&directory.registry(last)?.unwrap_or_default());
        let mut gather = self.gather(owned);
        directory.entries(|_, entry| gather.take(entry))?;
        Ok(gather.finish())
    }

    async fn of_custodian(&self) -> Result<Report, CliError> {
        let client = self.connect.connect().await?;
        let text = match &self.organisation {
            Some(_) => registry(&client).await?,
            None => String::new(),
        };
        let mut gather = self.gather(self.owned(&text));
        let mut next = 0;
        loop {
            let page = read_page(&client, next, self.own).await?;
            for entry in &page.entries {
                let entry = Entry::decode(&entry.canonical);
                gather.take(
                    &entry.map_err(|_| ClientError::Protocol("an entry of an unknown format"))?,
                );
            }
            if page.next_sequence >= page.log_size {
                return Ok(gather.finish());
            }
            if page.next_sequence <= next {
                return Err(
                    ClientError::Protocol("an answer that does not lead on in the log").into(),
                );
            }
            next = page.next_sequence;
        }
    }

    /// The chains that the organisation of the report owns, by the registry in force.
    fn owned(&self, text: &str) -> BTreeSet<ChainId> {
        let Some(organisation) = &self.organisation else {
            return BTreeSet::new();
        };
        let registry = Registry::parse(text, &[]).unwrap_or_else(|_| Registry::empty());
        let chains = registry
            .chains()
            .filter(|chain| chain.owner() == organisation);
        chains.map(|chain| chain.id().clone()).collect()
    }
}

async fn registry(client: &Client) -> Result<String, CliError> {
    let answer = client
        .registry()
        .get_registry(GetRegistryRequest { version: 0 })
        .await;
    Ok(answer.map_err(ClientError::from)?.into_inner().toml)
}

fn print(report: &Report) -> Result<(), CliError> {
    let paint = Paint::stdout();
    output::line(paint.bold(&sections::title(report)))?;
    for section in sections::all(report) {
        output::line("")?;
        output::line(paint.bold(section.title))?;
        if section.rows.is_empty() {
            output::line("none")?;
            continue;
        }
        let mut table = Table::new(section.headings.iter().copied());
        section.rows.into_iter().for_each(|row| table.row(row));
        table.print()?;
    }
    Ok(())
}
