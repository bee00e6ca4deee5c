//! Why the engine cannot start.

use sluis_domain::port::StoreError;
use sluis_domain::registry::Problem;
use sluis_keyring::KeyringError;

/// Why the engine cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The keyring does not open.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A governance value is damaged.
    #[error("stored {0} cannot be read: damaged, or edited by hand")]
    Corrupt(&'static str),
    /// The stored registry does not fit the configuration, for example because a custodian is a steward.
    #[error("the stored registry does not fit this configuration:{}", list(.0))]
    Registry(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
