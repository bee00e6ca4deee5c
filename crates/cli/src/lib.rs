//! `sluis`, the command line.
//!
//! One module per family of subcommands; [`connect`] finds the custodian, [`output`] is the only module that prints,
//! [`error`] has the exit codes.

pub mod connect;
pub mod data;
pub mod error;
pub mod output;

mod audit;
mod chain;
mod change;
mod cli;
mod clock;
mod credentials;
mod custody;
mod dev;
mod expect;
mod file_kind;
mod formats;
mod grant;
mod instructed;
mod key;
mod moment;
mod pin;
mod profile;
mod proposal;
mod proposed;
mod registry;
mod report;
mod restore;
mod seal;
mod secret;
mod subject;
mod unsure;
mod whoami;

pub use cli::Cli;
