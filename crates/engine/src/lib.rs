//! Use cases: pseudonymise, convert, re-identify, govern, rotate.
