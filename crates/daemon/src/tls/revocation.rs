//! Revocation lists, and which of them speaks for which authority.
//!
//! An authority is a name *and* a key. A renewed authority often keeps its name and counts its serial numbers from the
//! beginning, so a list is found by the key that signed it; its name alone says nothing. webpki takes the first list whose
//! issuer name fits, which is why the lists are chosen here.

mod list;
mod signature;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::TrustAnchor;
use sluis_domain::Timestamp;
use sluis_files::pem;

use self::list::List;
use super::TlsError;
use super::expiry::{Ending, Subject};

/// An authority, as revocation lists know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct IssuerKey {
    /// Distinguished name, content of the DER.
    pub(super) name: Vec<u8>,
    /// `SubjectPublicKeyInfo`, content of the DER.
    pub(super) spki: Vec<u8>,
}

impl IssuerKey {
    pub(super) fn of(anchor: &TrustAnchor<'_>) -> Self {
        Self {
            name: anchor.subject.to_vec(),
            spki: anchor.subject_public_key_info.to_vec(),
        }
    }
}

/// What all lists of one authority say.
#[derive(Debug)]
pub(super) struct Status {
    /// Newest first, at least one.
    lists: Vec<Arc<List>>,
}

impl Status {
    fn of(mut lists: Vec<Arc<List>>) -> Option<Arc<Self>> {
        lists.sort_by(|one, other| other.age().cmp(&one.age()));
        Some(Self { lists })
            .filter(|status| !status.lists.is_empty())
            .map(Arc::new)
    }

    /// Whether any list names the serial number. A certificate that was only put on hold, and that the newest list does
    /// not name any more, is good again.
    pub(super) fn revokes(&self, serial: &[u8]) -> bool {
        let newest = self.lists.first().is_some_and(|list| list.names(serial));
        newest || self.lists.iter().any(|list| list.revokes(serial))
    }

    /// The moment from which on none of the lists is valid.
    pub(super) fn next_update(&self) -> Timestamp {
        let ends = self.lists.iter().map(|list| list.next_update);
        ends.max().unwrap_or(Timestamp::MAX)
    }

    fn ending(&self) -> Ending {
        Ending {
            subject: Subject::RevocationList,
            name: self
                .lists
                .first()
                .map(|list| list.issuer_shown.clone())
                .unwrap_or_default(),
            ends: self.next_update(),
        }
    }
}

/// All lists of the file.
#[derive(Debug)]
pub(super) struct Lists {
    by_authority: HashMap<IssuerKey, Arc<Status>>,
    /// Lists whose issuer has a name that no authority has: those of intermediate authorities, whose certificates are
    /// known only when a client presents them.
    others: Vec<Arc<List>>,
    found_among_others: Mutex<HashMap<IssuerKey, Arc<Status>>>,
    /// What an operator should know about the file.
    pub(super) notices: Vec<String>,
}

impl Lists {
    /// Reads a file of lists. Each must be complete, understood, and signed by an authority, unless no authority has the
    /// name of its issuer.
    pub(super) fn read(path: &Path, anchors: &[(IssuerKey, String)]) -> Result<Self, TlsError> {
        let content = sluis_files::read(path, sluis_files::MAX_LIST_BYTES);
        let content = content.map_err(|e| TlsError::file(path, e))?;
        let blocks = pem::revocation_lists(&content).map_err(|e| TlsError::file(path, e))?;
        let lists = blocks.iter().map(|block| {
            let list = List::parse(&block.der, block.line).map_err(|e| {
                TlsError::file(path, format_args!("the list in line {}: {e}", block.line))
            })?;
            Ok(Arc::new(list))
        });
        let lists = lists.collect::<Result<Vec<_>, TlsError>>()?;
        Self::match_up(lists, anchors).map_err(|e| TlsError::file(path, e))
    }

    fn match_up(lists: Vec<Arc<List>>, anchors: &[(IssuerKey, String)]) -> Result<Self, String> {
        let mut by_key: HashMap<IssuerKey, Vec<Arc<List>>> = HashMap::new();
        let mut others = Vec::new();
        let mut notices = Vec::new();
        for list in lists {
            let mut same_name = anchors
                .iter()
                .filter(|(key, _)| key.name == list.issuer)
                .peekable();
            if same_name.peek().is_none() {
                notices.push(format!(
                    "the revocation list in line {} is of {}, and no authority in tls.client_ca has that name: it is used \
                     only for clients that present the certificate of an authority between",
                    list.line, list.issuer_shown
                ));
                others.push(list);
                continue;
            }
            let Some((signer, _)) = same_name.find(|(key, _)| list.is_signed_by(&key.spki)) else {
                return Err(format!(
                    "the list in line {} is not signed by the key of any authority in tls.client_ca that has the name of \
                     its issuer, {}: add the certificate of the authority that signed it, or remove the list",
                    list.line, list.issuer_shown
                ));
            };
            by_key.entry(signer.clone()).or_default().push(list);
        }
        for (_, name) in anchors.iter().filter(|(key, _)| !by_key.contains_key(key)) {
            notices.push(format!(
                "there is no revocation list of the authority {name}: clients with its certificates are refused"
            ));
        }
        let by_authority = by_key
            .into_iter()
            .filter_map(|(key, lists)| Some((key, Status::of(lists)?)))
            .collect();
        Ok(Self {
            by_authority,
            others,
            found_among_others: Mutex::default(),
            notices,
        })
    }

    /// What is known of certificates that this authority issued. `may_sign`: whether its certificate lets it sign lists.
    pub(super) fn status(&self, issuer: &IssuerKey, may_sign: bool) -> Option<Arc<Status>> {
        if let Some(status) = self.by_authority.get(issuer) {
            return Some(status.clone());
        }
        if !may_sign {
            return None;
        }
        if let Some(status) = self.found().get(issuer) {
            return Some(status.clone());
        }
        let signed = self.others.iter().filter(|list| {
            let same_name = list.issuer == issuer.name;
            same_name && list.is_signed_by(&issuer.spki)
        });
        let status = Status::of(signed.cloned().collect())?;
        self.found().insert(issuer.clone(), status.clone());
        Some(status)
    }

    fn found(&self) -> MutexGuard<'_, HashMap<IssuerKey, Arc<Status>>> {
        self.found_among_others
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// When the lists end, one of each authority.
    pub(super) fn endings(&self) -> Vec<Ending> {
        let known = self.by_authority.values().map(|status| status.ending());
        let others = self.others.iter().map(|list| Ending {
            subject: Subject::RevocationList,
            name: list.issuer_shown.clone(),
            ends: list.next_update,
        });
        known.chain(others).collect()
    }
}
