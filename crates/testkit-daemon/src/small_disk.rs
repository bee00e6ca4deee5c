//! A small file system of its own, to be filled.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file in it that takes room away.
const FILLER: &str = "filler";
const PAGE: usize = 4096;

/// A file system in memory with a limit, mounted until it is dropped. Mounting needs root, as which the tests run.
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts a file system of `bytes` at a directory, which is made.
    ///
    /// # Panics
    /// If it cannot be mounted.
    pub fn mount(at: &Path, bytes: u64) -> Self {
        fs::create_dir_all(at).expect("scratch directory");
        run(Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={bytes},mode=0700"),
                "sluis-test",
            ])
            .arg(at));
        Self { at: at.to_owned() }
    }

    /// Takes room away until only `leave` bytes are free, give or take a page.
    pub fn fill(&self, leave: u64) {
        self.make_room();
        let mut filler = fs::File::create(self.at.join(FILLER)).expect("scratch file");
        let chunk = vec![0xaa; 64 * PAGE];
        loop {
            let room = self.free().saturating_sub(leave) as usize;
            let next = room.min(chunk.len()) / PAGE * PAGE;
            if next == 0 {
                return;
            }
            // Someone else may take the last of it meanwhile.
            if filler.write_all(&chunk[..next]).is_err() {
                return;
            }
        }
    }

    /// Gives the room back.
    pub fn make_room(&self) {
        drop(fs::remove_file(self.at.join(FILLER)));
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.at).expect("mounted");
        stat.f_bavail * stat.f_frsize
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that a failed test left behind does not keep it.
        run(Command::new("umount").arg("-l").arg(&self.at));
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("part of every system");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() || std::thread::panicking(),
        "{command:?}: {said}"
    );
}
