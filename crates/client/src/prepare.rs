//! What happens to a batch between the caller and the stream.

use std::pin::Pin;

use crate::{Batch, ClientError};

/// A batch that is being prepared.
pub type Prepared<'a> = Pin<Box<dyn Future<Output = Result<Batch, ClientError>> + Send + 'a>>;

/// A step before a batch is sent. It may take time, such as a round trip to the custodian, and so may hold the batches up
/// that come after; their order stays.
pub trait Prepare: Send {
    /// The batch that is sent: with the rows of this one, and as many columns. An error ends the stream's sending half.
    fn prepare(&mut self, batch: Batch) -> Prepared<'_>;
}

/// Sends every batch as it is.
#[derive(Clone, Copy, Debug)]
pub struct AsIs;

impl Prepare for AsIs {
    fn prepare(&mut self, batch: Batch) -> Prepared<'_> {
        Box::pin(std::future::ready(Ok(batch)))
    }
}
