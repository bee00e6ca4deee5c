//! What people read about grants, proposals, registries and the audit log.
//!
//! These are texts, JSON and reports: a terminal prints them, and a web page could show them.

pub mod grant;
pub mod proposal;
pub mod report;
mod safe;
pub mod words;

pub use safe::Safe;
