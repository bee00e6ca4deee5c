//! What can go wrong, and the exit codes.
//!
//! No message carries a value of a record: rows are named by number, columns by name, files by path.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use sluis_client::ClientError;

/// How a command ended. The numbers are a contract with scripts; they are listed in `sluis --help`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// The custodian refused or failed, a confirmation was not given, or what was verified is wrong.
    Refused = 1,
    /// The command line, the environment or the configuration file is wrong.
    Usage = 2,
    /// Done, but some rows were rejected.
    SomeRejected = 3,
    /// An input file is not what it should be.
    BadInput = 4,
    /// The custodian cannot be reached, or the TLS handshake failed.
    CannotConnect = 5,
    /// Reading or writing a local file failed.
    LocalIo = 6,
    /// The audit log is not what a witness saw before.
    Alarm = 7,
    /// The connection broke before the answer came: what was asked for may be done or not.
    Unsure = 8,
    /// The custodian describes a chain otherwise than the caller agreed to. Nothing was sent.
    Differs = 9,
    /// A signal asked to stop: 128 + 2, as shells have it for Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not finish.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The custodian refused, or it could not be reached. Exit code by [`ClientError`].
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The connection broke before the answer came.
    #[error(
        "{source}. The answer did not come, so the outcome is unknown: it may be done or not. {look}"
    )]
    Unsure {
        /// What broke.
        source: ClientError,
        /// How to find out.
        look: String,
    },
    /// What the custodian would refuse, seen before anything was sent; begins with the reason code.
    #[error("{0}")]
    Declined(String),
    /// Wrong flags, environment or configuration file; says what to change.
    #[error("{0}")]
    Usage(String),
    /// A wrong input file; says where and what.
    #[error("{0}")]
    Input(String),
    /// The person at the terminal said no, or what is stored is not what was to be approved.
    #[error("{0}")]
    NotConfirmed(String),
    /// What was to be verified is wrong; says what.
    #[error("{0}")]
    Wrong(String),
    /// What was to be verified is wrong in several ways.
    #[error("{what}")]
    WrongInDetail {
        /// What is wrong.
        what: String,
        /// How, a line each.
        details: Vec<String>,
    },
    /// The custodian describes a chain otherwise than the caller agreed to, with a pin or with a source key.
    #[error("{what}")]
    Differs {
        /// What contradicts what.
        what: String,
        /// Each difference, or what to do, a line each.
        details: Vec<String>,
    },
    /// A witness saw something that must not be; says what.
    #[error("ALARM: {0}")]
    Alarm(String),
    /// A local file or stream; `what` says which and what was tried, such as `cannot read registry.toml`.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The user or the system asked to stop; says what became of the output.
    #[error("{0}")]
    Interrupted(String),
}

impl CliError {
    /// A stage of a run ended without a result.
    pub(crate) fn stage_failed() -> Self {
        Self::Io {
            what: "stopped".into(),
            source: std::io::Error::other("a stage failed"),
        }
    }

    /// [`CliError::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// [`CliError::Input`].
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    /// More about it, a line each.
    pub fn details(&self) -> &[String] {
        match self {
            Self::WrongInDetail { details, .. } | Self::Differs { details, .. } => details,
            _ => &[],
        }
    }

    /// For `map_err`: a file could not be read.
    pub fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("cannot read {}", path.display());
        move |source| Self::Io { what, source }
    }

    /// For `map_err`: a file could not be written.
    pub fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("cannot write {}", path.display());
        move |source| Self::Io { what, source }
    }

    /// Whether the reader of our output has gone, as with `sluis audit read | head`: nothing worth a message.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Client(error) if error.is_connection() => Exit::CannotConnect,
            Self::Unsure { .. } => Exit::Unsure,
            Self::Client(
                ClientError::Config(_) | ClientError::Material { .. } | ClientError::Signing(_),
            ) => Exit::Usage,
            Self::Client(_) | Self::Declined(_) | Self::NotConfirmed(_) => Exit::Refused,
            Self::Wrong(_) | Self::WrongInDetail { .. } => Exit::Refused,
            Self::Alarm(_) => Exit::Alarm,
            Self::Differs { .. } => Exit::Differs,
            Self::Usage(_) => Exit::Usage,
            Self::Input(_) => Exit::BadInput,
            Self::Io { .. } => Exit::LocalIo,
            Self::Interrupted(_) => Exit::Interrupted,
        }
    }
}
