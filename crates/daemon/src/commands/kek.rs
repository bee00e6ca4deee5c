//! Key-encryption keys: the first one, fetching the present one, and replacing it.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use sluis_engine::Engine;
use sluis_keyring::{Collecting, Kek, KekError, Share, Token};
use sluis_port::Store;
use sluis_store::RocksStore;
use zeroize::Zeroizing;

use super::{CommandError, make_private, options, say};
use crate::config::{KekSource, Settings};
use crate::{KekFault, SystemClock, terminal};

/// Into how many shares a key is split, and how many of them make it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Shares in all.
    pub shares: u8,
    /// Shares needed.
    pub threshold: u8,
}

/// What a command says. It may hold shares, so it is wiped, and never grows: that would leave a copy behind.
pub(super) fn nothing_said() -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(8 << 10))
}

/// A new key, and the shares that exist nowhere else.
pub(super) struct NewKek {
    pub(super) kek: Kek,
    shares: Vec<Share>,
}

impl NewKek {
    /// Makes a key in a place; an existing key file is used as it is.
    ///
    /// # Errors
    /// [`CommandError`].
    pub(super) fn make(
        source: &KekSource,
        split: Option<Split>,
        said: &mut String,
    ) -> Result<Self, CommandError> {
        let kek = match (source, split) {
            (KekSource::Shares, Some(Split { shares, threshold })) => {
                let (kek, shares) = Kek::split(threshold, shares)?;
                return Ok(Self { kek, shares });
            }
            (KekSource::Shares, None) => {
                return Err(CommandError::Usage(
                    "the key is to be in shares: give --shares and --threshold",
                ));
            }
            (_, Some(_)) => {
                return Err(CommandError::Usage(
                    "--shares is for a key in shares: set kek.shares = true",
                ));
            }
            (KekSource::File(path), None) => file(path, said)?,
            (KekSource::Credential(name), None) => {
                Kek::from_credential(name).map_err(KekFault::from)?
            }
            (KekSource::Token(settings), None) => {
                let token = Token::open(settings).map_err(KekFault::from)?;
                if token.ensure_key().map_err(KekFault::from)? {
                    let (key, token) = (&settings.key, &settings.token);
                    say(
                        said,
                        format_args!(
                            "A new key {key:?} was made in the token {token:?}; it can never leave it."
                        ),
                    );
                    say(
                        said,
                        format_args!(
                            "  Without that token, or a backup of it made with its maker's tools, the"
                        ),
                    );
                    say(
                        said,
                        format_args!("  store and every backup of it are lost."),
                    );
                }
                token.new_kek().map_err(KekFault::from)?
            }
        };
        Ok(Self {
            kek,
            shares: Vec::new(),
        })
    }

    /// Shows the shares, the only time.
    pub(super) fn show_shares(&self, said: &mut String) {
        let Some(share) = self.shares.first() else {
            return;
        };
        let (all, needed, set) = (self.shares.len(), self.needed(), share.set());
        say(
            said,
            format_args!(
                "THE KEY-ENCRYPTION KEY IS IN {all} SHARES (set {set}); any {needed} of them open this custodian."
            ),
        );
        say(
            said,
            format_args!(
                "  They are shown now and never again. Hand each to a different custodian, who keeps it away"
            ),
        );
        say(
            said,
            format_args!("  from this machine and from the backups; then clear this screen."),
        );
        say(
            said,
            format_args!(
                "  With fewer than {needed} of them left the store and every backup of it are lost."
            ),
        );
        for share in &self.shares {
            let text = share.text();
            say(
                said,
                format_args!("share {}: {}", share.index(), text.as_str()),
            );
        }
    }

    fn needed(&self) -> u8 {
        match self.kek.protection() {
            sluis_keyring::Protection::Shares(set) => set.threshold(),
            _ => 0,
        }
    }

    /// The key as it comes back: what was written, printed or sealed makes it again.
    fn come_back(&self, source: &KekSource, store: &dyn Store) -> Result<Kek, CommandError> {
        match source {
            KekSource::Shares => {
                let mut texts = self.shares.iter().map(Share::text);
                collect(source, store, |_| Ok(texts.next().unwrap_or_default()))
            }
            _ => Ok(source.fetch(store)?.kek),
        }
    }
}

fn file(path: &Path, said: &mut String) -> Result<Kek, CommandError> {
    if path.exists() {
        return Ok(Kek::from_file(path).map_err(KekFault::from)?);
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        make_private(parent)?;
    }
    let kek = Kek::generate_file(path).map_err(KekFault::from)?;
    let path = path.display();
    say(
        said,
        format_args!("A NEW KEY-ENCRYPTION KEY was written to {path}."),
    );
    say(
        said,
        format_args!(
            "  Copy it to a safe place away from this machine and away from the backups, NOW."
        ),
    );
    say(
        said,
        format_args!(
            "  Without it the store and every backup of it are lost; with it and a backup, everything is open."
        ),
    );
    Ok(kek)
}

/// The key of a store; shares are asked for on standard input, one a line.
///
/// # Errors
/// [`CommandError`].
pub(super) fn present(source: &KekSource, store: &dyn Store) -> Result<Kek, CommandError> {
    match source {
        KekSource::Shares => collect(source, store, |needed| {
            terminal::read_secret(&format!("share ({needed} more needed): "))
                .map_err(|e| CommandError::Process("standard input", e))
        }),
        _ => Ok(source.fetch(store)?.kek),
    }
}

fn collect(
    source: &KekSource,
    store: &dyn Store,
    mut next: impl FnMut(u8) -> Result<Zeroizing<String>, CommandError>,
) -> Result<Kek, CommandError> {
    let record = source.record(store)?;
    let mut collecting = Collecting::new(&record).ok_or(KekFault::InShares)?;
    loop {
        let share = next(collecting.needed())?;
        if let Some(kek) = collecting.give(share.trim().parse()?)? {
            return Ok(kek);
        }
    }
}

/// Puts the keyring under a new key-encryption key in `to`, while the daemon is stopped. No pseudonym changes. `show` gets
/// what the operator must have in hand *before* the old key opens nothing any more, shares above all: whatever stops the
/// command after that loses nothing. The new key is made to come back from where it is, and to open the store, before this
/// returns; otherwise the old one is in force again. What the old one opens has left the store's files then; if the
/// command is stopped before, the next daemon sees to it.
///
/// # Errors
/// [`CommandError`].
pub fn rotate_kek(
    settings: &Settings,
    to: &KekSource,
    split: Option<Split>,
    show: impl FnOnce(&str) -> io::Result<()>,
) -> Result<Zeroizing<String>, CommandError> {
    if *to == settings.kek && matches!(to, KekSource::File(_) | KekSource::Credential(_)) {
        return Err(CommandError::Usage(
            "the new key must be in another place than the present one",
        ));
    }
    let mut said = nothing_said();
    let store: Arc<dyn Store> = Arc::new(RocksStore::open(
        &settings.data_directory,
        &options(settings),
    )?);
    let old = present(&settings.kek, &*store)?;
    let open =
        |kek: &Kek| Engine::open(store.clone(), kek, Arc::new(SystemClock), settings.engine());
    let engine = open(&old)?;
    let new = NewKek::make(to, split, &mut said)?;
    new.show_shares(&mut said);
    if !new.shares.is_empty() {
        say(
            &mut said,
            format_args!(
                "They open nothing until this command says that the keyring is under the new key."
            ),
        );
    }
    show(&said).map_err(|e| {
        CommandError::Process("the new key cannot be shown, and nothing was changed", e)
    })?;
    let mut said = nothing_said();
    engine
        .life()
        .rotate_kek(&new.kek)
        .map_err(CommandError::refused)?;
    let proven = new
        .come_back(to, &*store)
        .and_then(|kek| Ok(open(&kek).map(drop)?));
    if let Err(reason) = proven {
        engine
            .life()
            .rotate_kek(&old)
            .map_err(CommandError::refused)?;
        return Err(CommandError::NotRotated(Box::new(reason)));
    }
    engine
        .life()
        .forget_former_kek()
        .map_err(|refusal| CommandError::NotForgotten(Box::new(refusal)))?;
    say(
        &mut said,
        format_args!(
            "The keyring is under a new key-encryption key, and was opened with it. No pseudonym changes."
        ),
    );
    if *to != settings.kek {
        say(
            &mut said,
            format_args!(
                "Before the next start, write into the configuration: {}",
                Place(to)
            ),
        );
    }
    say(
        &mut said,
        format_args!(
            "The old key ({}) opens nothing in this store any more. It still opens the backups made until now:",
            Place(&settings.kek)
        ),
    );
    say(
        &mut said,
        format_args!(
            "  move them away, make a new backup in an empty directory, then destroy the old ones"
        ),
    );
    say(&mut said, format_args!("  together with the old key."));
    Ok(said)
}

/// A place as the configuration names it.
struct Place<'a>(&'a KekSource);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            KekSource::File(path) => write!(f, "kek.file = {path:?}"),
            KekSource::Credential(name) => write!(f, "kek.credential = {name:?}"),
            KekSource::Shares => f.write_str("kek.shares = true"),
            KekSource::Token(token) => write!(
                f,
                "kek.pkcs11 with key {:?} in token {:?}",
                token.key, token.token
            ),
        }
    }
}

/// The place of a new key file.
///
/// # Errors
/// [`KekFault::File`] if there is such a file.
pub fn new_file(path: &Path) -> Result<KekSource, CommandError> {
    if path.exists() {
        return Err(KekFault::from(KekError::Exists(path.display().to_string())).into());
    }
    Ok(KekSource::File(path.to_owned()))
}
