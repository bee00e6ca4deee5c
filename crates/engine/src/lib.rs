//! Use cases: pseudonymise, convert, re-identify, govern, rotate.
//!
//! Pure logic over ports: no sockets, no async runtime, no clock of its own. Every act is asked of the policy, which
//! alone makes a [`policy::Permit`]; every act puts its audit entry into the same commit as its effect; every answer
//! waits until that commit is durable.
//!
//! Methods block (they read and write the store) or compute for milliseconds; call them off the I/O threads.

mod batches;
mod caller;
mod core;
mod engine;
mod error;
mod governance;
mod life;
mod log;
mod sealed;

pub use batches::Batches;
pub use batches::convert::ConvertSession;
pub use batches::import::Import;
pub use batches::pseudonymise::PseudonymiseSession;
pub use batches::quota::{QuotaFill, limit_name};
pub use batches::reidentify::ReidentifySession;
pub use batches::turn::{Turn, Turns};
pub use caller::{Caller, Refusal, Violation};
pub use core::Core;
pub use core::instruction::Instructed;
pub use core::journal::{Journal, Replayed};
pub use core::log::head::SignedHead;
pub use core::log::saved::Verified;
pub use core::meter::Remaining;
pub use core::pending::{Charged, Pending};
pub use core::policy;
pub use core::proposing::ProposalView;
pub use core::settings::{LifeSettings, OVERDUE_ROUNDS, Settings};
pub use engine::Engine;
pub use error::{EngineError, HeadError};
pub use governance::Governance;
pub use governance::grants::GrantView;
pub use governance::proposals::RegistryTexts;
pub use governance::registry::{ChainRole, Proposed, WhoAmI};
pub use life::Life;
pub use life::keys::{BackupDone, Status};
pub use life::{Endings, Expiring, Housekeeping, Unfinished};
pub use log::proofs::{Consistency, Head, Inclusion};
pub use log::restore::{RestoreError, RestoreSignature};
pub use log::{EntriesPage, LogKeeper};
pub use sealed::{KeyHolder, Sealed};
pub use sluis_crypto::digest::sha256;
pub use sluis_keyring::{KeyState, VersionInfo};

/// The fingerprint of a certificate: SHA-256 of its DER.
pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    sluis_crypto::digest::sha256(der)
}
