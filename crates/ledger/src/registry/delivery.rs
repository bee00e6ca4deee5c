//! Who gets the answers of a chain.

/// Who gets the answers to a chain's batches. Whatever makes an answer must match on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Delivery {
    /// The sender of the batch.
    #[default]
    Caller,
}

impl Delivery {
    /// All that a registry can say.
    pub const ALL: [Self; 1] = [Self::Caller];

    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
        }
    }
}
