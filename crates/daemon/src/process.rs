//! The process keeps its memory to itself: no core dumps, no ptrace, no panic messages.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Turns core dumps and ptrace off, for this process and its life.
///
/// # Errors
/// When the kernel refuses; the daemon must not start then.
pub fn harden() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // Not dumpable also means: no ptrace by other processes of the same user, and /proc/self/mem belongs to root.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Panics are logged by their place only: the message of a panic may quote what the code had in its hands.
pub fn log_panics_by_place() {
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => tracing::error!(file = place.file(), line = place.line(), "panic"),
        None => tracing::error!("panic"),
    }));
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn a_hardened_process_leaves_no_core_and_cannot_be_traced() {
        harden().expect("the kernel allows it");
        assert_eq!(dumpable_behavior().expect("known"), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
    }
}
