//! What the method takes in place of an identifier.

use sluis_domain::identifier::InputMode;
use sluis_domain::{Reason, WipedBuffer};
use sluis_ledger::registry::Namespace;

/// Bytes of a prehash value.
const PREHASH_LEN: usize = 32;

/// Appends the method's input x for a value; `false` if it is missing.
pub(crate) fn method_input(
    namespace: &Namespace,
    value: &[u8],
    out: &mut WipedBuffer,
) -> Result<bool, Reason> {
    match namespace.input() {
        InputMode::Plain => namespace.rules().normalise(value, out),
        InputMode::Prehash if value.is_empty() => Ok(false),
        InputMode::Prehash if value.len() == PREHASH_LEN => {
            out.extend_from_slice(value);
            Ok(true)
        }
        InputMode::Prehash => Err(Reason::InvalidPrehash),
    }
}
