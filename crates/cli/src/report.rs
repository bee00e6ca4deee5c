//! `sluis report`: what the audit log says of a period, for people who must account for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use data_encoding::HEXLOWER;
use sluis_client::{Client, ClientError, Zeroizing};
use sluis_domain::{ChainId, OrganisationId};
use sluis_ledger::event::Entry;
use sluis_ledger::registry::Registry;
use sluis_tlog::VerifierKey;
use sluis_views::report::{self, Day, Gather, Report, Standing, VerifiedLog};

use crate::audit::directory::Directory;
use crate::audit::read::read_page;
use crate::audit::{read_key, verify};
use crate::clock;
use crate::connect::ConnectArgs;
use crate::data::Target;
use crate::error::{CliError, Exit};
use crate::output::{self, Paint, Table};

/// Why a report of an export is not verified without a key.
const OWN_KEY_ONLY: &str = "the export agrees with itself and with the key in it, but who changes an export can change that key \
                            too; give --log-key with the key that you trust";

/// Why a report of what a custodian tells is not verified.
const AS_TOLD: &str = "these are entries as the custodian told them, not compared with the signed head of the log; for a \
                       verified report take a copy with `sluis audit export` and give --export and --log-key";

/// Who did what, for which purpose, in a period: batches, grants, refusals, keys, custody
///
/// Auditors report on the whole log or on one organisation, stewards with --own on theirs. From an export it takes no
/// custodian; the export is verified first, as `sluis audit verify` does, and one that was changed gives no report. With --log-key
/// that is against the key you trust. Without it, and of what the custodian tells, the report says NOT VERIFIED on every page.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis report --from 2026-01-01 --to 2026-12-31
  sluis report --from 2026-11-01 --to 2026-11-30 --own --json
  sluis report --from 2026-01-01 --to 2026-12-31 --export audit-2026 \\
      --log-key custodian.vkey --html report.html
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
    /// The log's verifier key that you trust, as text (`name+hash+base64`) or a file that holds it. With --export, which needs no
    /// connection, --key does the same, as for `sluis audit verify`
    #[arg(long, value_name = "KEY", requires = "export")]
    log_key: Option<String>,
    /// Write the report as one HTML page without anything from elsewhere
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Replace an existing page
    #[arg(long, requires = "html")]
    force: bool,
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
        if let Some(path) = &self.html {
            Target::check(path, self.force)?;
        }
        let made = match &self.export {
            Some(path) => self.of_export(&Directory::new(path))?,
            None => self.of_custodian().await?,
        };
        if let Some(path) = &self.html {
            Target::write_whole(path, report::page(&made).as_bytes(), self.force, false)?;
            output::note(format!("the report is in {}", path.display()));
        }
        if self.json {
            output::json(&made)?;
        } else if self.html.is_none() {
            print(&made)?;
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
        directory.head()?;
        let (anchor, trusted) = match self.trusted_key()? {
            Some(key) => (key, true),
            None => (directory.verifier_key()?, false),
        };
        let checked = verify::check(directory, &anchor)?;
        let registry = checked.state.registry();
        let mut gather = self.gather(self.owned(registry));
        let (size, root) = directory.entries(|entry| gather.take(entry))?;
        let head = &checked.checkpoint;
        if (size, &root) != (head.size(), head.root()) {
            return Err(CliError::Wrong(format!(
                "{} was changed while it was read",
                directory.path().display()
            )));
        }
        self.check_known(registry, &gather)?;
        Ok(gather.finish(match trusted {
            false => Standing::NotVerified(OWN_KEY_ONLY),
            true => Standing::Verified(VerifiedLog {
                origin: head.origin().to_owned(),
                entries: size,
                root: HEXLOWER.encode(&root),
                verifier_key: anchor.to_string(),
            }),
        }))
    }

    /// The key that an export is verified with, if one was given.
    fn trusted_key(&self) -> Result<Option<VerifierKey>, CliError> {
        if let Some(key) = &self.log_key {
            return read_key(key).map(Some);
        }
        // A private key is for a connection, and may come from the environment.
        let Some(key) = self.connect.given_key().filter(|key| !is_private(key)) else {
            return Ok(None);
        };
        read_key(&key.to_string_lossy()).map(Some)
    }

    async fn of_custodian(&self) -> Result<Report, CliError> {
        let client = self.connect.connect().await?;
        let registry = match &self.organisation {
            Some(_) => registry(&client).await?,
            None => Registry::empty(),
        };
        let mut gather = self.gather(self.owned(&registry));
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
                self.check_known(&registry, &gather)?;
                return Ok(gather.finish(Standing::NotVerified(AS_TOLD)));
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
    fn owned(&self, registry: &Registry) -> BTreeSet<ChainId> {
        let Some(organisation) = &self.organisation else {
            return BTreeSet::new();
        };
        let chains = registry
            .chains()
            .filter(|chain| chain.owner() == organisation);
        chains.map(|chain| chain.id().clone()).collect()
    }

    /// A misspelt organisation would give an empty report. One that was removed since has entries.
    fn check_known(&self, registry: &Registry, gather: &Gather) -> Result<(), CliError> {
        let Some(organisation) = &self.organisation else {
            return Ok(());
        };
        if registry.organisation(organisation).is_some() || gather.concerned() {
            return Ok(());
        }
        Err(CliError::usage(format!(
            "the registry has no organisation {organisation}, and no entry of the log concerns it"
        )))
    }
}

/// Whether a file holds a private key in PEM.
fn is_private(path: &Path) -> bool {
    let content = fs::read(path).map(Zeroizing::new);
    content.is_ok_and(|content| content.windows(11).any(|part| part == b"PRIVATE KEY"))
}

async fn registry(client: &Client) -> Result<Registry, CliError> {
    let text = client.registry_text(None).await?.toml;
    Registry::parse(&text, &[]).map_err(|_| {
        let what = "a registry text that this version of the client cannot read";
        ClientError::Protocol(what).into()
    })
}

fn print(made: &Report) -> Result<(), CliError> {
    let paint = Paint::stdout();
    output::line(paint.bold(&report::title(made)))?;
    output::line(report::standing(made))?;
    for section in report::all(made) {
        output::line("")?;
        output::line(paint.bold(&section.heading(made)))?;
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
