//! The audit report of a period: gathered from entries, and shown as tables, as JSON or as one HTML page.

mod chart;
mod escape;
mod gather;
mod html;
mod keys;
mod model;
mod period;
mod sections;

pub use gather::Gather;
pub use html::page;
pub use model::{Report, Standing, VerifiedLog};
pub use period::Day;
pub use sections::{Section, all, standing, title};
