//! Use cases: pseudonymise, convert, re-identify, govern, rotate.
//!
//! Pure logic over ports: no sockets, no async runtime, no clock of its own. Every act is asked of the policy, which
//! alone makes a [`policy::Permit`]; every act puts its audit entry into the same commit as its effect; every answer
//! waits until that commit is durable.
//!
//! Methods block (they read and write the store) or compute for milliseconds; call them off the I/O threads.

mod audit;
mod caller;
mod convert;
mod custody;
mod delivery;
mod engine;
mod erasure;
mod error;
mod grants;
mod import;
mod instruction;
mod kek;
mod life;
mod log;
mod meter;
mod origin;
mod pace;
mod pending;
pub mod policy;
mod proposals;
mod pseudonymise;
mod quota;
mod refusals;
mod registry;
mod reidentify;
mod rows;
mod scan;
mod sealed;
mod shuffle;
mod signing;
mod snapshot;
mod tokens;
mod turn;
mod uses;

pub use audit::EntriesPage;
pub use caller::{Caller, Refusal, Violation};
pub use convert::ConvertSession;
pub use custody::{BackupDone, Status};
pub use engine::{Engine, Settings};
pub use erasure::{Journal, Replayed};
pub use error::EngineError;
pub use grants::GrantView;
pub use import::Import;
pub use instruction::Instructed;
pub use life::{Endings, Expiring, Housekeeping, LifeSettings, OVERDUE_ROUNDS, Unfinished};
pub use log::head::{HeadError, SignedHead};
pub use log::proofs::{Consistency, Head, Inclusion};
pub use log::restore::{RestoreError, RestoreSignature};
pub use meter::Remaining;
pub use pending::{Charged, Pending};
pub use proposals::{ProposalView, RegistryTexts};
pub use pseudonymise::PseudonymiseSession;
pub use quota::{QuotaFill, limit_name};
pub use registry::{ChainRole, Proposed, WhoAmI};
pub use reidentify::ReidentifySession;
pub use sealed::{KeyHolder, Sealed};
pub use sluis_crypto::digest::sha256;
pub use sluis_keyring::{KeyState, VersionInfo};
pub use turn::{Turn, Turns};

/// The fingerprint of a certificate: SHA-256 of its DER.
pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    sluis_crypto::digest::sha256(der)
}
