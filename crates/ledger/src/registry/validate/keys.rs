//! The rules of pinned keys: one for each steward, and none for two of them, so that two signatures are two people.

use std::collections::BTreeMap;

use super::super::organisation::Organisation;
use super::super::problem::Problems;
use super::super::raw::{RawKey, RawOrganisation, RawRegistry};
use super::{Known, Register};
use sluis_domain::id::{Identity, MemberName, OrganisationId};
use sluis_domain::public_key::PublicKey;

type Organisations = Known<OrganisationId, Organisation>;
/// Who has which key.
type Holders = BTreeMap<PublicKey, Identity>;

/// The keys by their holders.
pub(super) fn keys(
    raw: &RawRegistry,
    organisations: &Organisations,
    problems: &mut Problems<'_>,
) -> Known<Identity, PublicKey> {
    let mut keys = Register::new("the key of");
    let mut holders = Holders::new();
    for line in &raw.keys {
        let name = line.member.as_ref();
        keys.add(&line.entry, "member", name, problems, |member, problems| {
            let known = holder(member, line, organisations, problems);
            let key = public_key(line, problems)?;
            if known {
                alone(&key, member, line, &mut holders, problems);
            }
            Some(key)
        });
    }
    // A key without a usable member may be the one that a steward lacks.
    let usable = raw.keys.iter().all(|line| {
        let member = line.member.as_ref();
        member.is_some_and(|text| text.value.parse::<Identity>().is_ok())
    });
    if usable {
        raw.organisations
            .iter()
            .for_each(|line| stewards(line, organisations, &keys.known, problems));
    }
    keys.known
}

/// Checks that the holder is a steward; `false` for the stand-in of a member that is missing or malformed.
fn holder(
    member: &Identity,
    raw: &RawKey,
    organisations: &Organisations,
    problems: &mut Problems<'_>,
) -> bool {
    let Some(text) = raw
        .member
        .as_ref()
        .filter(|text| text.value == member.to_string())
    else {
        return false;
    };
    let wrong = match organisations.get(&member.organisation) {
        None => format!("there is no organisation \"{}\"", member.organisation),
        Some(Some(organisation)) if !organisation.is_steward(&member.member) => {
            format!(
                "\"{}\" is not one of the `stewards` of \"{}\"",
                member.member, member.organisation
            )
        }
        Some(_) => return true,
    };
    problems.report(
        text.at,
        raw.entry.key("member"),
        format!("{wrong}; correct the member or remove the key"),
    );
    true
}

/// The key; the message does not quote the text, which may be a private key put there by mistake.
fn public_key(raw: &RawKey, problems: &mut Problems<'_>) -> Option<PublicKey> {
    let text = raw.public_key.as_ref()?;
    let key = text.value.parse::<PublicKey>();
    if let Err(error) = &key {
        problems.report(text.at, raw.entry.key("public_key"), error.to_string());
    }
    key.ok()
}

/// Checks that no one else has this key.
fn alone(
    key: &PublicKey,
    member: &Identity,
    raw: &RawKey,
    holders: &mut Holders,
    problems: &mut Problems<'_>,
) {
    let first = holders.entry(key.clone()).or_insert_with(|| member.clone());
    if let Some(text) = raw.public_key.as_ref().filter(|_| first != member) {
        let message = format!(
            "\"{first}\" has this key already, and whoever holds it could sign for two; each steward makes a key of \
             their own"
        );
        problems.report(text.at, raw.entry.key("public_key"), message);
    }
}

/// Checks that each steward of an organisation has a key.
fn stewards(
    raw: &RawOrganisation,
    organisations: &Organisations,
    keys: &Known<Identity, PublicKey>,
    problems: &mut Problems<'_>,
) {
    let Some(id) = raw
        .id
        .as_ref()
        .and_then(|text| text.value.parse::<OrganisationId>().ok())
    else {
        return;
    };
    let Some(Some(organisation)) = organisations.get(&id) else {
        return;
    };
    for text in raw.stewards.iter().flat_map(|texts| &texts.value) {
        let Ok(member) = text.value.parse::<MemberName>() else {
            continue;
        };
        let identity = Identity {
            organisation: id.clone(),
            member,
        };
        if organisation.is_steward(&identity.member) && !keys.contains_key(&identity) {
            let message = format!(
                "\"{}\" has no public key to verify signatures with; add [[key]] with member = \"{identity}\" and the \
                 public_key that `sluis key show` prints",
                identity.member
            );
            problems.report(text.at, raw.entry.key("stewards"), message);
        }
    }
}
