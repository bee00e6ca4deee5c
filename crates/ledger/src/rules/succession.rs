//! Which registry may follow which.

use sluis_domain::{ChainId, PublicKey};

use crate::Custodian;
use crate::registry::{Problem, Registry};

/// The registry of a text, if it may follow the one `before`.
///
/// It is valid by itself, no one is on both sides (a steward's key is no custodian's), a chain that was `destroyed` never comes
/// back, and what is fixed for the life of a chain stays; a chain goes only if it was destroyed.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(
    before: &Registry,
    custodians: &[Custodian],
    destroyed: &dyn Fn(&ChainId) -> bool,
    text: &str,
) -> Result<Registry, Vec<Problem>> {
    let names: Vec<_> = custodians.iter().map(|one| one.identity.clone()).collect();
    let next = Registry::parse(text, &names)?;
    let is_custodians = |key: &PublicKey| custodians.iter().any(|one| one.key == *key);
    let shared = next.keys().filter(|(_, key)| is_custodians(key));
    let mut problems: Vec<_> = shared
        .map(|(steward, _)| {
            let text = "is a custodian's key: one person must not sign on both sides";
            problem(format!("key[{steward}]"), text)
        })
        .collect();
    for chain in next.chains() {
        let id = chain.id();
        if before.chain(id).is_none() && destroyed(id) {
            let text = "was destroyed and stays so: take another id";
            problems.push(problem(path_of(id), text));
        }
    }
    let may_go = |problem: &Problem| {
        let gone = before.chains().map(|chain| chain.id());
        let mut gone = gone.filter(|id| next.chain(id).is_none() && destroyed(id));
        gone.any(|id| problem.path == path_of(id))
    };
    let changes = before.check_change(&next);
    problems.extend(changes.into_iter().filter(|problem| !may_go(problem)));
    if problems.is_empty() {
        Ok(next)
    } else {
        Err(problems)
    }
}

fn problem(path: String, message: &str) -> Problem {
    Problem {
        line: 0,
        column: 0,
        path,
        message: message.to_owned(),
    }
}

/// Where problems with a chain as a whole are said to be.
fn path_of(chain: &ChainId) -> String {
    format!("chain[{chain}]")
}
