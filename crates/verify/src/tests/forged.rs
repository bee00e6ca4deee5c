//! Forged logs with a good tree and good signatures, as a dishonest custodian would write them. Each has a name, its last entry
//! is the wrong one, and both verifiers must say so.

use super::forge::{Forge, base};
use super::second;

mod batches;
mod fields;
mod grants;
mod people;
mod registries;

/// Its name, what is done to an honest log, and what is said of it then.
type Case = (&'static str, fn(&mut Forge), &'static str);

fn refuse_each(cases: &[Case]) {
    for (what, forge, why) in cases {
        let mut log = base();
        forge(&mut log);
        second::refuse_saying(what, &log, why);
    }
}
