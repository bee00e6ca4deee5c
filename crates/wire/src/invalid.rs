//! Why a message is not taken.

use sluis_domain::Reason;

/// A field that is missing or malformed. Holds nothing of what is in it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// As what it is refused; [`Reason::InvalidRequest`] unless there is a more exact one.
    pub reason: Reason,
    /// The path of the field, such as `batch.columns[0].packed`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Invalid {
    /// A field that is missing or malformed. `problem` must not quote the field.
    pub fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::because(Reason::InvalidRequest, field, problem)
    }

    /// As [`Self::field`], with a reason of its own.
    pub fn because(reason: Reason, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            reason,
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// A required field that is not there.
    pub fn missing(field: impl Into<String>) -> Self {
        Self::field(field, "is required")
    }

    /// The same, seen from the message that holds the one with the field.
    #[must_use]
    pub fn within(mut self, message: &str) -> Self {
        self.field = format!("{message}.{}", self.field);
        self
    }

    /// As [`Self::within`], if there is such a message.
    #[must_use]
    pub fn inside(self, message: Option<&str>) -> Self {
        match message {
            Some(message) => self.within(message),
            None => self,
        }
    }
}
