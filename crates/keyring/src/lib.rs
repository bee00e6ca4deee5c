//! Wrapped roots, key versions and KEK providers.
