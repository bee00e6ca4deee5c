//! Acts whose answer did not come.
//!
//! Everything that changes something at the custodian is called through [`unless_answered`]: a daemon that dies after it
//! has done what was asked must not be taken for one that has not.

use sluis_client::ClientError;

use crate::error::CliError;

/// For `map_err` of a call that changes something. `look`: the command that shows whether it was done.
pub(crate) fn unless_answered<E: Into<ClientError>>(
    look: impl FnOnce() -> String,
) -> impl FnOnce(E) -> CliError {
    unless_answered_with(move || format!("Look with `{}` before you repeat it", look()))
}

/// As [`unless_answered`], with advice of its own.
pub(crate) fn unless_answered_with<E: Into<ClientError>>(
    advice: impl FnOnce() -> String,
) -> impl FnOnce(E) -> CliError {
    move |error| match error.into() {
        source if source.is_unsure() => CliError::Unsure {
            source,
            look: advice(),
        },
        source => source.into(),
    }
}
