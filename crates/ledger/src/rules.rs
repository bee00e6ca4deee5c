//! Rules that are decided before an act and checked after it: pure functions of the state or its registry. The engine refuses with them, and
//! [`crate::Ledger`] applies the same ones to every entry.
//!
//! | module | what |
//! |---|---|
//! | [`grants`] | what a grant may be about, who may hold it, who must approve it |
//! | [`signers`] | whose signatures a proposal takes |
//! | [`standing`] | whether what was approved or signed earlier still counts |
//! | [`succession`] | which registry may follow which |

pub mod grants;
pub mod signers;
pub mod standing;
pub mod succession;
