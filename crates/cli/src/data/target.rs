//! Where results are written: files that appear under their name only when they are complete.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::fstatvfs;
use rustix::process::{Resource, getrlimit};

use super::staged::Staged;
use crate::error::CliError;

/// Something that is written to. Dropped without [`Target::finish`], a file leaves nothing behind.
pub(crate) struct Target {
    sink: Sink,
    name: PathBuf,
}

/// The end of the name under which a part of an output is kept.
const PARTIAL: &str = ".partial";

enum Sink {
    Stdout,
    /// Something that exists and is no regular file, such as a pipe: written as it comes.
    Device(File),
    /// A new file that gets its name at the end.
    Staged {
        file: Staged,
        replace: bool,
        /// Bytes up to the end of the last whole batch.
        whole: u64,
        /// Bytes written.
        written: u64,
    },
}

impl Target {
    /// Refuses an existing file that must not be replaced.
    pub(crate) fn check(path: &Path, force: bool) -> Result<(), CliError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(CliError::usage(format!(
                "{} is a directory",
                path.display()
            ))),
            Ok(metadata) if is_device(path, &metadata) || force => Ok(()),
            Ok(_) => Err(exists(path)),
            Err(_) => Ok(()),
        }
    }

    /// Begins a file. `private`: only the caller's account may read it; otherwise as the umask says. A file that takes
    /// the place of another one gives nobody more than that one did.
    pub(crate) fn create(path: &Path, force: bool, private: bool) -> Result<Self, CliError> {
        Self::check(path, force)?;
        let name = path.to_path_buf();
        if fs::symlink_metadata(path).is_ok_and(|metadata| is_device(path, &metadata)) {
            let file = File::options()
                .write(true)
                .open(path)
                .map_err(CliError::writing(path))?;
            return Ok(Self {
                sink: Sink::Device(file),
                name,
            });
        }
        // A symbolic link stays one: what it points to is replaced.
        let name = fs::canonicalize(&name).unwrap_or(name);
        let directory = match name.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mode = if private { 0o600 } else { 0o666 };
        let replaced = fs::metadata(&name).map_or(0o777, |metadata| metadata.permissions().mode());
        let file = Staged::create(directory, mode & replaced).map_err(CliError::writing(path))?;
        Ok(Self {
            sink: Sink::Staged {
                file,
                replace: force,
                whole: 0,
                written: 0,
            },
            name,
        })
    }

    /// To write to as to any other stream.
    pub(crate) fn stream(&mut self) -> impl Write + '_ {
        TargetStream(self)
    }

    /// Writes a whole file that appears under its name only when it is on disk. `force` and `private` as in
    /// [`Self::create`].
    pub(crate) fn write_whole(
        path: &Path,
        content: &[u8],
        force: bool,
        private: bool,
    ) -> Result<(), CliError> {
        let mut target = Self::create(path, force, private)?;
        target.write(content)?;
        target.finish()
    }

    /// Refuses to begin what the file system or a limit of the process has no room for. `bytes`: what the file will take
    /// at least.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<(), CliError> {
        let Sink::Staged { file, .. } = &self.sink else {
            return Ok(());
        };
        let room = room(file.file());
        if room.is_none_or(|room| bytes <= room) {
            return Ok(());
        }
        Err(CliError::Io {
            what: format!(
                "{} will have at least {bytes} bytes, and there is room for {}; nothing was sent",
                self.name.display(),
                room.unwrap_or_default()
            ),
            source: io::ErrorKind::StorageFull.into(),
        })
    }

    /// What is written up to here may be kept when the run fails.
    pub(crate) fn is_whole(&mut self) {
        if let Sink::Staged { whole, written, .. } = &mut self.sink {
            *whole = *written;
        }
    }

    /// Keeps what is whole of an unfinished file under a name of its own, which it returns; `None` if this is no file.
    pub(crate) fn keep(self) -> Result<Option<PathBuf>, CliError> {
        let Sink::Staged { file, whole, .. } = self.sink else {
            return Ok(None);
        };
        let name = partial(&self.name);
        let kept = file
            .file()
            .set_len(whole)
            .and_then(|()| file.file().sync_all())
            .and_then(|()| file.persist(&name, true));
        kept.map_err(CliError::writing(&name))?;
        Ok(Some(name))
    }

    /// Standard output.
    pub(crate) fn stdout() -> Self {
        Self {
            sink: Sink::Stdout,
            name: "standard output".into(),
        }
    }

    /// Writes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        let outcome = match &mut self.sink {
            Sink::Stdout => io::stdout().write_all(bytes),
            Sink::Device(file) => file.write_all(bytes),
            Sink::Staged { file, written, .. } => {
                let outcome = file.file().write_all(bytes);
                *written += bytes.len() as u64;
                outcome
            }
        };
        outcome.map_err(CliError::writing(&self.name))
    }

    /// What is there to see of it when it is not finished: `None` for nothing at all.
    pub(crate) fn unfinished(&self) -> Option<&Path> {
        (!matches!(self.sink, Sink::Staged { .. })).then_some(&*self.name)
    }

    /// What a process that ends without destructors must remove.
    pub(crate) fn hidden_name(&self) -> Option<&Path> {
        match &self.sink {
            Sink::Staged { file, .. } => file.hidden_name(),
            Sink::Stdout | Sink::Device(_) => None,
        }
    }

    /// Completes: the file is on disk and has its name.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        let name = &self.name;
        match self.sink {
            Sink::Stdout => io::stdout().flush().map_err(CliError::writing(name)),
            Sink::Device(_) => Ok(()),
            Sink::Staged { file, replace, .. } => {
                file.file().sync_all().map_err(CliError::writing(name))?;
                file.persist(name, replace)
                    .map_err(|error| match error.kind() {
                        io::ErrorKind::AlreadyExists => exists(name),
                        _ => CliError::writing(name)(error),
                    })
            }
        }
    }
}

struct TargetStream<'a>(&'a mut Target);

impl Write for TargetStream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes);
        written.map(|()| bytes.len()).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn exists(path: &Path) -> CliError {
    CliError::usage(format!(
        "{} exists; choose another name or replace it with --force",
        path.display()
    ))
}

/// Where a part of an output is kept.
pub(crate) fn partial(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(PARTIAL);
    name.into()
}

/// Bytes that can still be written to a file; `None` where that cannot be told.
fn room(file: &File) -> Option<u64> {
    let longest = getrlimit(Resource::Fsize).current;
    let space = fstatvfs(file)
        .ok()
        .filter(|space| space.f_blocks > 0)
        .map(|space| space.f_bavail.saturating_mul(space.f_frsize));
    [longest, space].into_iter().flatten().min()
}

/// Whether a path leads to a pipe, terminal or the like.
fn is_device(path: &Path, metadata: &fs::Metadata) -> bool {
    let target = if metadata.is_symlink() {
        fs::metadata(path).ok()
    } else {
        Some(metadata.clone())
    };
    target.is_some_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Where a path leads, be there a file or not: two paths with the same place are the same file.
pub(crate) fn place(path: &Path) -> PathBuf {
    if let Ok(place) = fs::canonicalize(path) {
        return place;
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match (fs::canonicalize(parent), path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        // There is no such directory: opening it will say so.
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        entries
            .map(|entry| {
                entry
                    .expect("readable")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect()
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("out.csv");
        let mut target = Target::create(&path, false, false).expect("new");
        target.write(b"a\n").expect("writable");
        assert!(!path.exists());
        target.finish().expect("complete");
        assert_eq!(fs::read(&path).expect("there"), b"a\n");
        assert_eq!(names(directory.path()), ["out.csv"]);
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_nothing() {
        let directory = tempfile::tempdir().expect("writable");
        let mut target =
            Target::create(&directory.path().join("out.csv"), false, true).expect("new");
        target.write(b"half").expect("writable");
        drop(target);
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn only_whole_batches_of_an_unfinished_file_are_kept() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("out.csv");
        let mut target = Target::create(&path, false, true).expect("new");
        target.write(b"a\n").expect("writable");
        target.is_whole();
        target.write(b"half").expect("writable");
        let kept = target.keep().expect("writable").expect("a file");
        assert_eq!(kept, directory.path().join("out.csv.partial"));
        assert_eq!(fs::read(&kept).expect("there"), b"a\n");
        assert_eq!(names(directory.path()), ["out.csv.partial"]);
        let mode = fs::metadata(&kept).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "as the file would have been");
    }

    #[test]
    fn a_file_that_does_not_fit_is_not_begun() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("out.csv");
        let target = Target::create(&path, false, false).expect("new");
        assert!(target.check_room(1).is_ok());
        let error = target.check_room(u64::MAX).expect_err("too much");
        assert!(error.to_string().contains("room for"), "{error}");
        let null = Target::create(Path::new("/dev/null"), false, false).expect("a device");
        assert!(null.check_room(u64::MAX).is_ok());
    }

    #[test]
    fn an_existing_file_is_only_replaced_by_force() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("out.csv");
        fs::write(&path, "old").expect("writable");
        assert!(matches!(
            Target::create(&path, false, false),
            Err(CliError::Usage(_))
        ));
        let mut forced = Target::create(&path, true, false).expect("forced");
        forced.write(b"new").expect("writable");
        assert_eq!(
            fs::read(&path).expect("there"),
            b"old",
            "until it is complete"
        );
        forced.finish().expect("complete");
        assert_eq!(fs::read(&path).expect("there"), b"new");
    }

    #[test]
    fn a_file_that_appears_in_the_meantime_is_not_overwritten() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("out.csv");
        let target = Target::create(&path, false, false).expect("new");
        fs::write(&path, "somebody else's").expect("writable");
        assert!(target.finish().is_err());
        assert_eq!(names(directory.path()), ["out.csv"]);
        assert_eq!(fs::read(&path).expect("there"), b"somebody else's");
    }

    #[test]
    fn a_replacement_gives_nobody_more_than_what_it_replaces() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("out.csv");
        let mode = || fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        Target::create(&path, false, false)
            .and_then(Target::finish)
            .expect("complete");
        let usual = mode();
        for (old, private, new) in [
            (0o600, false, 0o600),
            (0o640, false, 0o640 & usual),
            (0o777, false, usual),
            (0o666, true, 0o600),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(old)).expect("ours");
            Target::create(&path, true, private)
                .and_then(Target::finish)
                .expect("complete");
            assert_eq!(mode(), new, "{old:o}, private: {private}");
        }
    }

    #[test]
    fn a_place_has_many_names() {
        let directory = tempfile::tempdir().expect("writable");
        let path = |name: &str| directory.path().join(name);
        assert_eq!(place(&path("./out.csv")), place(&path("out.csv")));
        assert_ne!(place(&path("other.csv")), place(&path("out.csv")));
        assert_eq!(
            place(Path::new("Cargo.toml")),
            place(&std::env::current_dir().expect("one").join("Cargo.toml"))
        );
        assert_eq!(place(Path::new("new")), place(Path::new("./new")));
        fs::write(path("out.csv"), "").expect("writable");
        std::os::unix::fs::symlink("out.csv", path("link.csv")).expect("writable");
        assert_eq!(place(&path("link.csv")), place(&path("out.csv")));
    }

    #[test]
    fn a_private_file_is_for_its_owner() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("identities.csv");
        Target::create(&path, false, true)
            .and_then(Target::finish)
            .expect("complete");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn devices_and_directories() {
        let mut null = Target::create(Path::new("/dev/null"), false, false).expect("a device");
        null.write(b"x").expect("writable");
        null.finish().expect("complete");
        assert!(matches!(
            Target::check(Path::new("/"), true),
            Err(CliError::Usage(_))
        ));
    }
}
