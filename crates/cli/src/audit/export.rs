//! `sluis audit export`: a copy of the log that can be verified without the custodian.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use data_encoding::HEXLOWER;
use serde_json::json;
use sluis_client::{Client, ClientError, LogHead};
use sluis_ledger::event::{Entry, Event};
use sluis_tlog::{Bundle, Tile, Tree, encode_bundle, leaf_hash};
use sluis_verify::export::{CHECKPOINT, VERIFIER_KEY, handover_path, registry_path};
use sluis_verify::{Files, Head};

use super::directory::Directory;
use super::progress::Progress;
use super::read::read_page;
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output;

const README: &str = "\
This directory is a copy of the audit log of a Sluis custodian, made by `sluis audit export`.

  checkpoint     the signed head of the log: origin, number of entries, root of the tree, signatures
  verifier-key   the key that signed it, for convenience; trust the one that you got another way
  handovers/     heads signed by two keys, one for each rotation of the signing key
  tile/          the tree, and under tile/entries the entries themselves (C2SP tlog-tiles)
  registry/      the texts of all registry versions

Verify it, offline, with the verifier key that you trust:

  sluis audit verify THIS-DIRECTORY --key VERIFIER-KEY

or with a program of your own: docs/audit-log.md of Sluis says how, and tests/second_implementation/verify_log.py is one.
Run `sluis audit export` again with the same directory to bring it up to date.
";

/// Copy the log up to its last signed head, so that it can be verified offline (auditors)
///
/// Continues an earlier export in the same directory, or one that was interrupted.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis audit export audit-2026
  sluis audit export audit-2026 --json | jq .entries
  sluis audit export audit-2026 --from-scratch")]
pub(crate) struct ExportArgs {
    /// Directory to write to; made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Do not continue what is there: remove it and begin anew
    #[arg(long)]
    from_scratch: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl ExportArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let directory = Directory::new(&self.directory);
        let client = self.connect.connect().await?;
        let answer = client.checkpoint().await?;
        let head = Head::read(&answer.checkpoint, &answer.verifier_key, &[], None);
        let head = head.map_err(|alarm| CliError::Wrong(alarm.to_string()))?;
        let size = head.checkpoint.size();
        if self.from_scratch {
            // Whoever may not read the log keeps the copy that is there.
            read_page(&client, size.saturating_sub(1), false).await?;
            clear(&directory)?;
        }
        let mut copy = Copy::resume(directory, size)?;
        let before = copy.tree.size();
        copy.fetch(&client, size).await?;
        if copy.tree.root() != *head.checkpoint.root() {
            return Err(CliError::Wrong(mismatch(before)));
        }
        copy.fetch_registries(&client).await?;
        copy.finish(&answer)?;
        self.report(&head, before)
    }

    fn report(&self, head: &Head, before: u64) -> Result<Exit, CliError> {
        let (checkpoint, directory) = (&head.checkpoint, self.directory.display().to_string());
        let (size, key) = (checkpoint.size(), head.key.to_string());
        if self.json {
            output::json(&json!({
                "directory": directory, "origin": checkpoint.origin(), "entries": size, "new_entries": size - before,
                "root": HEXLOWER.encode(checkpoint.root()), "verifier_key": key,
            }))?;
        } else {
            output::line(format!(
                "{size} entries in {directory}, {} of them new",
                size - before
            ))?;
            output::line(format!("signed with {key}"))?;
        }
        Ok(Exit::Done)
    }
}

fn mismatch(before: u64) -> String {
    match before {
        0 => "the custodian's entries are not those of its signed head; nothing was signed off"
            .to_owned(),
        _ => format!(
            "the custodian's log does not continue the {before} entries exported before: either they were changed on disk \
             (`sluis audit verify` tells), or the log was forked or rolled back. Keep this directory; --from-scratch into \
             another one shows what the custodian says now"
        ),
    }
}

/// Removes an export, and nothing else.
fn clear(directory: &Directory) -> Result<(), CliError> {
    [
        CHECKPOINT,
        VERIFIER_KEY,
        "handovers",
        "tile",
        "registry",
        "README.txt",
    ]
    .iter()
    .try_for_each(|name| directory.remove(name))
}

/// The log as far as it was copied.
struct Copy {
    directory: Directory,
    tree: Tree,
    /// Entries of the bundle that is not full yet.
    bundle: Vec<Vec<u8>>,
    registries: BTreeSet<u64>,
    /// Entries under the head that was there before.
    old_size: u64,
}

impl Copy {
    /// Reads what is there and checks it against the head that is there. Without a head only full bundles count.
    fn resume(directory: Directory, size: u64) -> Result<Self, CliError> {
        let (old, empty) = (directory.checkpoint()?, directory.is_empty()?);
        let begun = directory
            .read(&Bundle::new(0, 256).map_or_else(|_| String::new(), |b| b.to_string()))?
            .is_some();
        if old.is_none() && !begun && !empty {
            let path = directory.path().display();
            return Err(CliError::usage(format!(
                "{path} is not empty and holds no export: name another directory"
            )));
        }
        let old_size = old.as_ref().map_or(0, |old| old.size());
        if old_size > size {
            let text = format!(
                "the export has {old_size} entries, and the log's signed head only {size}: it was rolled back"
            );
            return Err(CliError::Wrong(text));
        }
        let mut copy = Self {
            directory,
            tree: Tree::new(),
            bundle: Vec::new(),
            registries: BTreeSet::new(),
            old_size,
        };
        match &old {
            Some(old) => {
                for bundle in Bundle::all(old_size) {
                    copy.take_all(copy.directory.bundle(&bundle)?)?;
                }
                if copy.tree.root() != *old.root() {
                    let path = copy.directory.path().display();
                    let text = format!(
                        "{path} was changed after it was exported: its entries do not fit its checkpoint"
                    );
                    return Err(CliError::Wrong(text));
                }
            }
            None => {
                for bundle in Bundle::all(size).filter(|bundle| bundle.width() == 256) {
                    if copy.directory.read(&bundle.to_string())?.is_none() {
                        break;
                    }
                    copy.take_all(copy.directory.bundle(&bundle)?)?;
                }
            }
        }
        Ok(copy)
    }

    fn take_all(&mut self, entries: Vec<Vec<u8>>) -> Result<(), CliError> {
        entries.into_iter().try_for_each(|entry| self.take(entry))
    }

    async fn fetch(&mut self, client: &Client, size: u64) -> Result<(), CliError> {
        let progress = Progress::new(size);
        while self.tree.size() < size {
            let next = self.tree.size();
            let page = read_page(client, next, false).await?;
            // A page may go on past the signed head.
            for (sequence, entry) in (next..).zip(page.entries) {
                if entry.sequence != sequence {
                    return Err(
                        ClientError::Protocol("entries that do not follow each other").into(),
                    );
                }
                if self.tree.size() < size {
                    self.take(entry.canonical.to_vec())?;
                }
            }
            if self.tree.size() == next {
                return Err(
                    ClientError::Protocol("an answer that does not lead on in the log").into(),
                );
            }
            progress.set(self.tree.size(), size);
        }
        Ok(())
    }

    /// One entry; whatever becomes full is written.
    fn take(&mut self, bytes: Vec<u8>) -> Result<(), CliError> {
        if let Ok(entry) = Entry::decode(&bytes)
            && matches!(entry.event, Event::ApplyRegistry(_))
        {
            self.registries.insert(entry.header.registry_version);
        }
        let tiles = self.tree.append(leaf_hash(&bytes));
        self.bundle.push(bytes);
        if self.bundle.len() == 256 {
            self.write_bundle()?;
            self.bundle.clear();
        }
        for full in tiles {
            if let Ok(tile) = Tile::new(full.level, full.index, 256) {
                self.directory.put(&tile.to_string(), &full.data)?;
            }
        }
        Ok(())
    }

    fn write_bundle(&self) -> Result<(), CliError> {
        let Some(bundle) = Bundle::in_log((self.tree.size() - 1) / 256, self.tree.size()) else {
            return Ok(());
        };
        let content = encode_bundle(&self.bundle)
            .map_err(|_| ClientError::Protocol("an entry that is too long"))?;
        self.directory.put(&bundle.to_string(), &content)
    }

    async fn fetch_registries(&self, client: &Client) -> Result<(), CliError> {
        for version in &self.registries {
            let path = registry_path(*version);
            if self.directory.read(&path)?.is_none() {
                let text = client.registry_text(Some(*version)).await?;
                self.directory.write(&path, text.toml.as_bytes())?;
            }
        }
        Ok(())
    }

    /// What is not full, keys and handovers, and last the head; then what belonged to the head before is removed.
    fn finish(&self, head: &LogHead) -> Result<(), CliError> {
        let size = self.tree.size();
        if !self.bundle.is_empty() {
            self.write_bundle()?;
        }
        for tile in Tile::all(size).filter(|tile| tile.width() < 256) {
            if let Some(hashes) =
                self.tree
                    .unfinished_tile(tile.level(), tile.index(), tile.width())
            {
                self.directory.put(&tile.to_string(), hashes)?;
            }
        }
        for (number, handover) in head.handovers.iter().enumerate() {
            self.directory
                .put(&handover_path(number), handover.as_bytes())?;
        }
        self.directory.put(
            VERIFIER_KEY,
            format!("{}\n", head.verifier_key.trim_end()).as_bytes(),
        )?;
        self.directory.put("README.txt", README.as_bytes())?;
        self.directory
            .write(CHECKPOINT, head.checkpoint.as_bytes())?;
        let present: BTreeSet<String> = partial(size).collect();
        partial(self.old_size)
            .filter(|name| !present.contains(name))
            .try_for_each(|name| self.directory.remove(&name))
    }
}

/// Names of the partial tiles and bundles of a log of this size.
fn partial(size: u64) -> impl Iterator<Item = String> {
    let tiles = Tile::all(size)
        .filter(|tile| tile.width() < 256)
        .map(|tile| tile.to_string());
    tiles.chain(
        Bundle::all(size)
            .filter(|bundle| bundle.width() < 256)
            .map(|bundle| bundle.to_string()),
    )
}

#[cfg(test)]
mod tests {
    use sluis_domain::Timestamp;
    use sluis_ledger::event::Header;

    use super::*;

    fn entry(number: u64) -> Vec<u8> {
        let header = Header {
            salt: [0; 16],
            at: Timestamp::from_millis(number).expect("small"),
            registry_version: 0,
            caller: None,
        };
        let event = Event::Seal;
        Entry { header, event }.encode()
    }

    fn head(tree: &Tree) -> LogHead {
        let text = sluis_tlog::Checkpoint::new("example.org/log", tree.size(), tree.root())
            .expect("a line")
            .to_string();
        let line = "\u{2014} example.org/log AAAAAAAA\n";
        LogHead {
            checkpoint: format!("{text}\n{line}"),
            verifier_key: "k".into(),
            handovers: Vec::new(),
        }
    }

    /// Copies entries up to `size`, as the network would bring them.
    fn copy(path: &std::path::Path, size: u64) -> Result<u64, CliError> {
        let mut copy = Copy::resume(Directory::new(path), size)?;
        let before = copy.tree.size();
        (before..size).try_for_each(|number| copy.take(entry(number)))?;
        copy.finish(&head(&copy.tree))?;
        Ok(before)
    }

    #[test]
    fn an_export_is_continued_and_has_only_the_tiles_of_its_head() {
        let place = tempfile::tempdir().expect("a directory");
        assert_eq!(copy(place.path(), 300).expect("copies"), 0);
        assert_eq!(copy(place.path(), 700).expect("continues"), 300);
        let directory = Directory::new(place.path());
        assert_eq!(
            directory
                .checkpoint()
                .expect("reads")
                .map(|head| head.size()),
            Some(700)
        );
        for name in partial(300) {
            assert_eq!(directory.read(&name).expect("reads"), None, "{name}");
        }
        for name in partial(700)
            .chain(Tile::all(700).map(|t| t.to_string()))
            .chain(Bundle::all(700).map(|b| b.to_string()))
        {
            assert!(directory.read(&name).expect("reads").is_some(), "{name}");
        }
        let mut numbers = Vec::new();
        directory
            .entries(|entry| numbers.push(entry.header.at.millis()))
            .expect("reads");
        assert_eq!(numbers, (0..700).collect::<Vec<_>>());
    }

    #[test]
    fn an_interrupted_export_goes_on_after_its_full_bundles() {
        let place = tempfile::tempdir().expect("a directory");
        let mut begun = Copy::resume(Directory::new(place.path()), 600).expect("empty");
        (0..520)
            .try_for_each(|number| begun.take(entry(number)))
            .expect("copies");
        drop(begun);
        assert_eq!(copy(place.path(), 600).expect("continues"), 512);
    }

    #[test]
    fn a_changed_export_a_shorter_log_and_a_strange_directory_are_refused() {
        let place = tempfile::tempdir().expect("a directory");
        copy(place.path(), 300).expect("copies");
        assert!(matches!(copy(place.path(), 299), Err(CliError::Wrong(_))));
        let bundle = place.path().join("tile/entries/000");
        let mut bytes = std::fs::read(&bundle).expect("reads");
        bytes[20] ^= 1;
        std::fs::write(&bundle, bytes).expect("writes");
        assert!(matches!(copy(place.path(), 400), Err(CliError::Wrong(_))));
        clear(&Directory::new(place.path())).expect("removes");
        assert_eq!(copy(place.path(), 400).expect("begins anew"), 0);
        let strange = tempfile::tempdir().expect("a directory");
        std::fs::write(strange.path().join("thesis.txt"), "mine").expect("writes");
        assert!(matches!(copy(strange.path(), 1), Err(CliError::Usage(_))));
    }
}
