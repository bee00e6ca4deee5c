//! An export on disk.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sluis_files::FileError;
use sluis_ledger::event::Entry;
use sluis_tlog::{Bundle, Checkpoint, Hash, Note, Tree, VerifierKey, decode_bundle, leaf_hash};
use sluis_verify::Files;
use sluis_verify::export::{CHECKPOINT, VERIFIER_KEY, limit};

use crate::error::CliError;

/// A directory that holds an export, or will.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file of the export; names are those that this program makes.
    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file in one step: whoever reads sees the old content or the new.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), CliError> {
        let path = self.at(name);
        let directory = path.parent().unwrap_or(&self.0);
        write(directory, &path, content).map_err(CliError::writing(&path))
    }

    /// As [`Self::write`], unless the file has that content already.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> Result<(), CliError> {
        if self.read(name)?.as_deref() == Some(content) {
            Ok(())
        } else {
            self.write(name, content)
        }
    }

    /// Removes a file or directory of the export, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<(), CliError> {
        let path = self.at(name);
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CliError::writing(&path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Whether nothing is in it, or it is not there.
    pub(super) fn is_empty(&self) -> Result<bool, CliError> {
        match fs::read_dir(&self.0) {
            Ok(mut entries) => Ok(entries.next().is_none()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(CliError::reading(&self.0)(error)),
        }
    }

    /// The head of the export, its signature not verified; `None` if there is none yet.
    pub(crate) fn checkpoint(&self) -> Result<Option<Checkpoint>, CliError> {
        let Some(bytes) = self.read(CHECKPOINT)? else {
            return Ok(None);
        };
        let parsed = Note::from_bytes(&bytes)
            .ok()
            .and_then(|note| note.text().parse().ok());
        parsed.map(Some).ok_or_else(|| self.unsound(CHECKPOINT))
    }

    /// The entries of a bundle, in canonical bytes.
    pub(crate) fn bundle(&self, bundle: &Bundle) -> Result<Vec<Vec<u8>>, CliError> {
        let name = bundle.to_string();
        let bytes = self.read(&name)?.ok_or_else(|| self.unsound(&name))?;
        let entries = decode_bundle(&bytes, bundle.width()).map_err(|_| self.unsound(&name))?;
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// The head that must be there, its signature not verified.
    pub(crate) fn head(&self) -> Result<Checkpoint, CliError> {
        self.checkpoint()?.ok_or_else(|| self.unsound(CHECKPOINT))
    }

    /// The key that lies in the export: it shows whether the export agrees with itself, and nothing more.
    pub(crate) fn verifier_key(&self) -> Result<VerifierKey, CliError> {
        let bytes = self.read(VERIFIER_KEY)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let parsed = text.trim().parse();
        parsed.map_err(|_| self.unsound(VERIFIER_KEY))
    }

    /// All entries up to the head, and the size and root of what was read: what was verified before must have the same.
    pub(crate) fn entries(&self, mut each: impl FnMut(&Entry)) -> Result<(u64, Hash), CliError> {
        let mut tree = Tree::new();
        for bundle in Bundle::all(self.head()?.size()) {
            for bytes in self.bundle(&bundle)? {
                let entry = Entry::decode(&bytes).map_err(|_| self.unsound(&bundle.to_string()))?;
                tree.append(leaf_hash(&bytes));
                each(&entry);
            }
        }
        Ok((tree.size(), tree.root()))
    }

    fn unsound(&self, name: &str) -> CliError {
        let path = self.0.display();
        CliError::input(format!(
            "{path} is not a sound export: {name} is missing or damaged; `sluis audit verify` says more"
        ))
    }
}

impl Files for Directory {
    type Error = CliError;

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, CliError> {
        let path = self.at(name);
        // Neither a pipe that nobody writes to nor a file without an end holds anybody up.
        match sluis_files::read(&path, limit(name)) {
            Ok(mut bytes) => Ok(Some(std::mem::take(&mut *bytes))),
            Err(FileError::Io(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(CliError::reading(&path)(error.into())),
        }
    }
}

fn write(directory: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(".sluis-")
        .suffix(".part")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_fitting_size_are_read() {
        let place = tempfile::tempdir().expect("made");
        let directory = Directory::new(place.path());
        assert!(matches!(directory.read(CHECKPOINT), Ok(None)));
        let pipe = std::process::Command::new("mkfifo")
            .arg(place.path().join(CHECKPOINT))
            .status();
        assert!(pipe.expect("mkfifo runs").success());
        let error = directory.read(CHECKPOINT).expect_err("a pipe");
        assert!(
            error.to_string().contains("a regular file is needed"),
            "{error}"
        );
        let long = fs::File::create(place.path().join(VERIFIER_KEY)).expect("made");
        long.set_len(limit(VERIFIER_KEY) + 1).expect("a hole");
        let error = directory.read(VERIFIER_KEY).expect_err("too long");
        assert!(
            error.to_string().contains("is larger than 65536 bytes"),
            "{error}"
        );
    }
}
