//! Record files: `pseudonymise`, `import`, `convert` and `reidentify`.
//!
//! A file goes through four stages that run side by side, each holding a few batches, so that a file of any size
//! takes the same memory: `treat` (a thread) treats records and cuts them into batches, the two halves of a session send
//! and receive, and `assemble` (a thread) puts answers and kept columns together again. `pipeline` connects them. How a
//! file spells what it holds is a matter of `formats`.

mod answered;
mod args;
mod assemble;
mod columns;
mod convert;
mod failed;
mod identifier;
mod import;
mod input;
mod mapping;
mod names;
mod pipeline;
mod prepare;
mod progress;
mod pseudonymise;
mod reidentify;
mod run_file;
mod scan;
mod source_key;
mod staged;
mod stop;
mod summary;
mod target;
mod treat;

pub(crate) use columns::no_plan;
pub use convert::ConvertArgs;
pub(crate) use identifier::{Identifier, read_identifier};
pub use import::ImportArgs;
pub use pseudonymise::PseudonymiseArgs;
pub use reidentify::ReidentifyArgs;
pub(crate) use source_key::read as read_source_key;
pub(crate) use target::Target;
