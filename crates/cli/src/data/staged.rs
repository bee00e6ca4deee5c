//! A file that is written out of sight, and gets its name when it is complete.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, linkat};
use tempfile::NamedTempFile;

/// Dropped without [`Staged::persist`], it leaves nothing behind.
pub(super) enum Staged {
    /// Without any name: nothing is left behind however the process ends.
    Unnamed { file: File, directory: PathBuf },
    /// Under a hidden name, where the file system knows no unnamed files: a process that is killed leaves it behind.
    Hidden(NamedTempFile),
}

impl Staged {
    /// Begins a file in the directory of its final name. `mode`: permission bits, of which the umask takes away.
    pub(super) fn create(directory: &Path, mode: u32) -> io::Result<Self> {
        match unnamed(directory, mode) {
            Some(file) => Ok(Self::Unnamed {
                file,
                directory: directory.to_path_buf(),
            }),
            None => Self::hidden(directory, mode),
        }
    }

    fn hidden(directory: &Path, mode: u32) -> io::Result<Self> {
        hidden_names()
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(directory)
            .map(Self::Hidden)
    }

    /// To write to.
    pub(super) fn file(&self) -> &File {
        match self {
            Self::Unnamed { file, .. } => file,
            Self::Hidden(file) => file.as_file(),
        }
    }

    /// What a process that ends without destructors must remove.
    pub(super) fn hidden_name(&self) -> Option<&Path> {
        match self {
            Self::Unnamed { .. } => None,
            Self::Hidden(file) => Some(file.path()),
        }
    }

    /// Gives it its name. Without `replace`, a file of that name is [`io::ErrorKind::AlreadyExists`].
    pub(super) fn persist(self, name: &Path, replace: bool) -> io::Result<()> {
        match self {
            Self::Unnamed { file, directory } => {
                let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
                if !replace {
                    return link(&unnamed, name);
                }
                // A link never replaces; a name of its own can be moved over the old one.
                hidden_names()
                    .make_in(directory, |name| link(&unnamed, name))?
                    .persist(name)
                    .map_err(|error| error.error)
            }
            Self::Hidden(file) if replace => {
                file.persist(name).map(drop).map_err(|error| error.error)
            }
            Self::Hidden(file) => file
                .persist_noclobber(name)
                .map(drop)
                .map_err(|error| error.error),
        }
    }
}

fn link(unnamed: &str, name: &Path) -> io::Result<()> {
    Ok(linkat(CWD, unnamed, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

fn hidden_names() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sluis-").suffix(".part");
    builder
}

/// `None` where that cannot be done; making a named file says why, should that fail too.
#[cfg(target_os = "linux")]
fn unnamed(directory: &Path, mode: u32) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    // Only /proc leads back to the file when it is to get its name.
    let can_be_named = Path::new("/proc/self/fd").is_dir();
    can_be_named
        .then(|| {
            File::options()
                .write(true)
                .mode(mode)
                .custom_flags(flags)
                .open(directory)
                .ok()
        })
        .flatten()
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &Path, _: u32) -> Option<File> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn count(directory: &Path) -> usize {
        fs::read_dir(directory).expect("a directory").count()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_killed_process_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("writable");
        let staged = Staged::create(directory.path(), 0o600).expect("writable");
        staged.file().write_all(b"half").expect("writable");
        assert_eq!((count(directory.path()), staged.hidden_name()), (0, None));
        std::mem::forget(staged);
        assert_eq!(count(directory.path()), 0, "without any destructor");
    }

    #[test]
    fn both_kinds_get_their_name_and_replace_only_when_told() {
        for make in [Staged::create, Staged::hidden] {
            let directory = tempfile::tempdir().expect("writable");
            let name = directory.path().join("out.csv");
            let staged = || {
                let staged = make(directory.path(), 0o600).expect("writable");
                staged.file().write_all(b"new").expect("writable");
                staged
            };
            staged().persist(&name, false).expect("the name is free");
            assert_eq!(fs::read(&name).expect("there"), b"new");
            fs::write(&name, "old").expect("writable");
            let refused = staged()
                .persist(&name, false)
                .expect_err("the name is taken");
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&name).expect("there"), b"old");
            staged().persist(&name, true).expect("replaced");
            assert_eq!(fs::read(&name).expect("there"), b"new");
            assert_eq!(count(directory.path()), 1);
        }
    }

    #[test]
    fn a_hidden_name_is_known_to_who_must_remove_it() {
        let directory = tempfile::tempdir().expect("writable");
        let staged = Staged::hidden(directory.path(), 0o600).expect("writable");
        assert!(staged.hidden_name().is_some_and(Path::exists));
    }
}
