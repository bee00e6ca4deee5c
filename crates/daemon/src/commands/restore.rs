//! An older store comes back: the request that two custodians sign, and the acceptance of what they signed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluis_engine::{Engine, Replayed, RestoreError, RestoreSignature};
use sluis_ledger::restore::{Request, Signature};
use sluis_port::Clock;
use sluis_store::{Lost, Options, RocksStore};

use super::{CommandError, kek, make_private, options, say};
use crate::SystemClock;
use crate::config::Settings;
use crate::head::{self, HeadFault, HeadFile};
use crate::tls;

/// The file beside the head file that custodians sign.
const REQUEST: &str = "restore-request";
/// Longest file of the ceremony that is read.
const MAX_BYTES: u64 = 64 << 10;

/// Where the last signed head of the log is that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LostHead {
    /// In the head file.
    Kept,
    /// In another file: a copy, such as a witness has.
    In(PathBuf),
    /// There is none any more.
    Lost,
}

/// Restores the latest backup of `from` into the configured data directory, which must be absent or empty, and opens it with
/// the key-encryption key; without `from` it takes the store that is in the data directory. Unless that continues the
/// last signed head, it writes what two custodians must sign before the daemon can be started.
///
/// # Errors
/// [`CommandError`]; what was copied stays, but without the engine having accepted it.
pub fn restore(
    settings: &Settings,
    from: Option<&Path>,
    lost: &LostHead,
) -> Result<String, CommandError> {
    settings.kek.check()?;
    let lost = lost_head(settings, lost)?;
    if let Some(from) = from {
        sluis_store::restore(from, &settings.data_directory)?;
    }
    request(settings, lost.as_deref()).map_err(|reason| {
        let path = settings.data_directory.clone();
        CommandError::Restored {
            path,
            reason: Box::new(reason),
        }
    })
}

fn request(settings: &Settings, lost: Option<&[u8]>) -> Result<String, CommandError> {
    let mut said = String::new();
    let (store, engine) = opened(settings)?;
    let (entries, directory) = (engine.entries(), settings.data_directory.display());
    say(
        &mut said,
        format_args!("In {directory}: every row was read, the key fits, {entries} audit entries."),
    );
    let request = match engine.log().restore_request(lost) {
        Ok(request) => request,
        Err(RestoreError::NotNeeded) => {
            let lost = match store.lost() {
                None => "nothing was lost".to_owned(),
                Some(Lost::Unknown) => {
                    "WHAT WAS LOST SINCE IS NOT KNOWN, which you accept".to_owned()
                }
                Some(Lost::Entries(entries)) => {
                    format!(
                        "{entries} ACKNOWLEDGED AUDIT ENTRIES SINCE THEN, and what was done with them, ARE LOST, which you accept"
                    )
                }
            };
            store.accept_loss()?;
            say(
                &mut said,
                format_args!(
                    "It holds everything of the last signed head: {lost}; start the daemon."
                ),
            );
            return Ok(said);
        }
        Err(error) => return Err(error.into()),
    };
    let path = request_file(settings);
    if let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        make_private(directory)?;
    }
    HeadFile::new(&path).write(&request.to_string())?;
    let restore = &request.restore;
    if !restore.lost_rows.is_empty() {
        say(
            &mut said,
            format_args!(
                "{} rows cannot be read. The request gives them up; another backup may have them whole:",
                restore.lost_rows.len()
            ),
        );
        for row in &restore.lost_rows {
            say(&mut said, format_args!("  {row}"));
        }
    }
    match lost {
        Some(_) => say(
            &mut said,
            format_args!(
                "The last signed head had {} entries: what was done since the backup is lost.",
                restore.lost_size
            ),
        ),
        None => say(
            &mut said,
            format_args!("There is no signed head: WHAT WAS LOST IS NOT KNOWN."),
        ),
    }
    say(
        &mut said,
        format_args!(
            "Before the daemon can be started, two custodians must agree to that. The request is in"
        ),
    );
    say(&mut said, format_args!("  {}", path.display()));
    say(
        &mut said,
        format_args!(
            "Each of them, on their own machine:  sluis restore sign restore-request --out NAME.signature"
        ),
    );
    say(
        &mut said,
        format_args!(
            "Then here:  sluisd accept-restore --signature ONE.signature --signature TWO.signature"
        ),
    );
    Ok(said)
}

/// Goes on from a restored store with two custodians' signatures under the request: live grants end, opt-outs come into force
/// again, and the head file is replaced.
///
/// # Errors
/// [`CommandError`]; the daemon still does not start then.
pub fn accept_restore(settings: &Settings, signatures: &[PathBuf]) -> Result<String, CommandError> {
    let path = request_file(settings);
    let request: Request = parse(&path, "is not a request that `sluisd restore` wrote")?;
    let signatures = signatures
        .iter()
        .map(|path| signature(settings, path))
        .collect::<Result<Vec<_>, _>>()?;
    let file = HeadFile::new(&settings.audit.head_file);
    let lost = match file.read() {
        Err(HeadFault::Missing(_)) => None,
        read => Some(read?),
    };
    let (store, engine) = opened(settings)?;
    let (head, opt_outs) = engine
        .log()
        .accept_restore(lost.as_deref(), &request, &signatures)?;
    store.accept_loss()?;
    // It is of the log before the restore, which this one does not continue.
    file.remove_state();
    file.write(&head.note)?;
    fs::remove_file(&path).map_err(|reason| CommandError::Directory { path, reason })?;
    let mut said = String::new();
    say(
        &mut said,
        format_args!(
            "Accepted: the log goes on from entry {}. Every grant has ended.",
            request.restore.restored_size
        ),
    );
    if opt_outs.opt_outs > 0 {
        let Replayed { opt_outs, rows } = opt_outs;
        say(
            &mut said,
            format_args!(
                "Opt-outs since the backup are in force again: {opt_outs}; rows removed once more: {rows}."
            ),
        );
    }
    say(&mut said, format_args!("Start the daemon with: sluisd run"));
    Ok(said)
}

/// The store keeps the evidence of what it lost until that is accepted.
fn opened(settings: &Settings) -> Result<(Arc<RocksStore>, Engine), CommandError> {
    // Who restores a store knows that something was lost, and is told what a signed head shows of it.
    let options = Options {
        sees_loss: true,
        ..options(settings)
    };
    let store = Arc::new(RocksStore::open(&settings.data_directory, &options)?);
    store.verify()?;
    let kek = kek::present(&settings.kek, &*store)?;
    let engine = Engine::open(
        store.clone(),
        &kek,
        Arc::new(SystemClock),
        settings.engine(),
    )?;
    Ok((store, engine))
}

/// Writes the first head of a new store. One that was set up before gets it only if nothing was done with it yet.
///
/// # Errors
/// [`CommandError`].
pub(super) fn first_head(settings: &Settings, engine: &Engine) -> Result<(), CommandError> {
    let file = HeadFile::new(&settings.audit.head_file);
    if let Some(directory) = file
        .path()
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        make_private(directory)?;
    }
    Ok(head::write_first(engine, &file)?)
}

fn lost_head(settings: &Settings, lost: &LostHead) -> Result<Option<Vec<u8>>, CommandError> {
    let file = HeadFile::new(&settings.audit.head_file);
    match lost {
        LostHead::Kept => Ok(Some(file.read()?)),
        LostHead::In(path) => {
            let copy = HeadFile::new(path).read()?;
            keep_copy(&file, &copy)?;
            Ok(Some(copy))
        }
        LostHead::Lost if file.path().exists() => Err(CommandError::Usage(
            "--head-lost is for a custodian without a head file, and there is one",
        )),
        LostHead::Lost => Ok(None),
    }
}

/// Puts a copy of the last head in the place of the head file that is gone: what is accepted later is compared with it.
fn keep_copy(file: &HeadFile, copy: &[u8]) -> Result<(), CommandError> {
    if file.path().exists() {
        return Ok(());
    }
    let what = "is not a signed head of an audit log";
    let text = std::str::from_utf8(copy).map_err(|_| CommandError::File {
        path: file.path().to_owned(),
        what,
    })?;
    Ok(file.write(text)?)
}

fn signature(settings: &Settings, path: &Path) -> Result<RestoreSignature, CommandError> {
    let Signature { signed, issuers } =
        parse(path, "is not a signature that `sluis restore sign` wrote")?;
    tls::verify_client(
        &settings.tls,
        &signed.certificate,
        &issuers,
        SystemClock.now(),
    )
    .map_err(|reason| CommandError::Signer {
        path: path.to_owned(),
        reason,
    })?;
    let holder = tls::holder(&signed.certificate, &settings.trust_domain);
    let what = "its certificate is not one of a member of this custodian's trust domain";
    let signer = holder.ok_or_else(|| CommandError::File {
        path: path.to_owned(),
        what,
    })?;
    Ok(RestoreSignature {
        signer,
        signature: signed.signature,
    })
}

fn parse<T: std::str::FromStr>(path: &Path, what: &'static str) -> Result<T, CommandError> {
    use std::io::Read;
    let mut text = String::new();
    let read = sluis_files::open(path)
        .map_err(std::io::Error::from)
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    read.map_err(|reason| CommandError::Directory {
        path: path.to_owned(),
        reason,
    })?;
    text.parse().map_err(|_| CommandError::File {
        path: path.to_owned(),
        what,
    })
}

fn request_file(settings: &Settings) -> PathBuf {
    settings.audit.head_file.with_file_name(REQUEST)
}
