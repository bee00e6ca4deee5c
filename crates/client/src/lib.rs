//! The Rust client of Sluis.
