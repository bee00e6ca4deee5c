//! Which list speaks for which certificate, and which lists are refused.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rcgen::CrlDistributionPoint;
use tempfile::TempDir;

use super::*;

/// A clock that a test sets.
struct Hand(AtomicU64);

impl Hand {
    fn at(text: &str) -> Arc<Self> {
        let hand = Self(AtomicU64::new(0));
        hand.set(text);
        Arc::new(hand)
    }

    fn set(&self, text: &str) {
        let at = Timestamp::parse(text).expect("valid");
        self.0.store(at.millis(), Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Relaxed)).expect("valid")
    }
}

/// The files of a daemon.
struct Files {
    _directory: TempDir,
    settings: TlsSettings,
}

impl Files {
    fn of(authority: &Authority) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let settings = authority.write(directory.path());
        Self {
            _directory: directory,
            settings,
        }
    }

    fn authorities(self, authorities: &[&Authority]) -> Self {
        let pem: Vec<_> = authorities
            .iter()
            .map(|authority| authority.certificate.pem())
            .collect();
        fs::write(&self.settings.client_ca, pem.concat()).expect("written");
        self
    }

    fn lists(&self, lists: &[String]) {
        fs::write(self.settings.crl.as_ref().expect("a list"), lists.concat()).expect("written");
    }

    fn load(&self, clock: Arc<dyn Clock>) -> (Tls, Stamp) {
        Tls::load(self.settings.clone(), clock).expect("usable")
    }

    fn refused(&self) -> String {
        let loaded = Tls::load(self.settings.clone(), Arc::new(Noon));
        loaded.map(drop).expect_err("refused").to_string()
    }
}

fn etl() -> SanType {
    uri_name("spiffe://custodian.example/uni/etl")
}

/// The holder of a certificate with this serial number.
fn peer(authority: &Authority, serial: u64) -> Peer {
    Peer::from_chain(&[authority.issue(&[etl()], serial).0], DOMAIN)
}

/// How a handshake with the certificate would end.
fn verify(files: &Files, authority: &Authority, serial: u64) -> Result<(), TlsError> {
    let (own, _) = authority.issue(&[etl()], serial);
    verify_client(&files.settings, &own, &[], Noon.now())
}

fn is_revoked(outcome: &Result<(), TlsError>) -> bool {
    let text = outcome.as_ref().map_err(ToString::to_string);
    text.is_err_and(|text| text.contains("Revoked"))
}

#[test]
fn a_certificate_is_revoked_as_soon_as_the_list_says_so() {
    let authority = authority();
    let files = Files::of(&authority);
    let (tls, mut stamp) = files.load(Arc::new(Noon));
    // A serial with its highest bit set has a leading zero byte in DER.
    let peer = peer(&authority, 0x80);
    assert_eq!(tls.check(&peer), Ok(()));
    let unchanged = tls.reload(&mut stamp, false).expect("usable");
    assert_eq!(unchanged, Reloaded::Unchanged);

    files.lists(&[authority.revoke(&[3, 0x80])]);
    let changed = tls.reload(&mut stamp, false).expect("usable");
    assert_eq!(changed, Reloaded::Changed);
    assert_eq!(tls.check(&peer), Err(Reason::CertificateRevoked));
}

#[test]
fn a_renewed_authority_of_the_same_name_has_its_own_list_and_its_own_serial_numbers() {
    let old = authority();
    let new = authority();
    let files = Files::of(&old).authorities(&[&old, &new]);
    for lists in [
        [old.revoke(&[5]), new.revoke(&[6])],
        [new.revoke(&[6]), old.revoke(&[5])],
    ] {
        files.lists(&lists);
        let (tls, _) = files.load(Arc::new(Noon));
        for (authority, revoked, good) in [(&old, 5, 6), (&new, 6, 5)] {
            assert_eq!(
                tls.check(&peer(authority, revoked)),
                Err(Reason::CertificateRevoked)
            );
            assert_eq!(tls.check(&peer(authority, good)), Ok(()));
            assert!(is_revoked(&verify(&files, authority, revoked)));
            verify(&files, authority, good).expect("good");
        }
    }
}

#[test]
fn an_authority_without_a_list_lets_nobody_in_and_is_named() {
    let one = authority_named("one");
    let two = authority_named("two");
    let files = Files::of(&one).authorities(&[&one, &two]);
    let (tls, _) = files.load(Arc::new(Noon));
    assert_eq!(tls.check(&peer(&one, 5)), Ok(()));
    assert_eq!(
        tls.check(&peer(&two, 5)),
        Err(Reason::RevocationListExpired)
    );
    let refused = verify(&files, &two, 5).expect_err("no list");
    assert!(matches!(refused, TlsError::RevocationList), "{refused}");
    let warnings = tls.warnings().join("\n");
    assert!(
        warnings.contains("no revocation list of the authority CN=two"),
        "{warnings}"
    );
}

#[test]
fn an_expired_list_beside_a_fresh_one_does_not_win_and_what_any_list_names_is_revoked() {
    let authority = authority();
    let files = Files::of(&authority);
    let expired = authority.list(&[5], (2030, 1), (2030, 2));
    let fresh = authority.list(&[6], (2030, 5), (2030, 7));
    for lists in [
        [expired.clone(), fresh.clone()],
        [fresh.clone(), expired.clone()],
    ] {
        files.lists(&lists);
        verify(&files, &authority, 7).expect("the fresh one is valid");
        for serial in [5, 6] {
            assert!(is_revoked(&verify(&files, &authority, serial)), "{serial}");
        }
    }
}

#[test]
fn when_the_list_expires_open_connections_are_refused_too() {
    let authority = authority();
    let mut files = Files::of(&authority);
    files.lists(&[authority.list(&[], (2030, 1), (2030, 7))]);
    let clock = Hand::at("2030-06-30T23:59:59Z");
    let (tls, mut stamp) = files.load(clock.clone());
    let open = peer(&authority, 5);
    assert_eq!(tls.check(&open), Ok(()));
    clock.set("2030-07-01T00:00:00Z");
    assert_eq!(tls.check(&open), Err(Reason::RevocationListExpired));
    let warnings = tls.warnings().join("\n");
    assert!(
        warnings.contains("has ended") && warnings.contains("is refused"),
        "{warnings}"
    );

    files.lists(&[authority.list(&[], (2030, 7), (2030, 8))]);
    tls.reload(&mut stamp, false).expect("usable");
    assert_eq!(tls.check(&open), Ok(()), "a new list is in place");

    files.lists(&[authority.list(&[5], (2030, 1), (2030, 2))]);
    files.settings.crl_expired = CrlExpiry::Accept;
    let (tls, _) = files.load(clock);
    assert_eq!(tls.check(&peer(&authority, 6)), Ok(()));
    assert_eq!(tls.check(&open), Err(Reason::CertificateRevoked));
}

#[test]
fn a_refusal_while_the_clock_was_wrong_does_not_last_and_revocation_does() {
    let authority = authority();
    let files = Files::of(&authority);
    files.lists(&[authority.list(&[6], (2030, 1), (2030, 7))]);
    let clock = Hand::at("2030-06-01T12:00:00Z");
    let (tls, _) = files.load(clock.clone());
    let (good, revoked) = (peer(&authority, 5), peer(&authority, 6));
    clock.set("2030-08-01T12:00:00Z");
    assert_eq!(tls.check(&good), Err(Reason::RevocationListExpired));
    assert!(tls.check(&revoked).is_err());
    clock.set("2030-06-01T12:00:00Z");
    assert_eq!(tls.check(&good), Ok(()));
    assert_eq!(tls.check(&revoked), Err(Reason::CertificateRevoked));
}

#[test]
fn who_belongs_to_an_authority_that_was_removed_is_refused_on_an_open_connection() {
    let one = authority_named("one");
    let two = authority_named("two");
    let files = Files::of(&one).authorities(&[&one, &two]);
    files.lists(&[one.revoke(&[]), two.revoke(&[])]);
    let (tls, mut stamp) = files.load(Arc::new(Noon));
    let open = peer(&two, 5);
    assert_eq!(tls.check(&open), Ok(()));
    let files = files.authorities(&[&one]);
    files.lists(&[one.revoke(&[])]);
    tls.reload(&mut stamp, false).expect("usable");
    assert_eq!(tls.check(&open), Err(Reason::CertificateNotTrusted));
}

#[test]
fn a_list_that_no_authority_of_its_name_signed_is_refused() {
    let authority = authority();
    let files = Files::of(&authority);
    let impostor = super::authority();
    files.lists(&[authority.revoke(&[]), impostor.revoke(&[5])]);
    let refused = files.refused();
    assert!(
        refused.contains("crl.pem") && refused.contains("not signed by the key of any authority"),
        "{refused}"
    );
}

#[test]
fn a_list_of_a_part_of_the_certificates_is_refused() {
    let authority = authority();
    let files = Files::of(&authority);
    let part = CrlIssuingDistributionPoint {
        distribution_point: CrlDistributionPoint {
            uris: vec!["http://authority.example/part-1.crl".to_owned()],
        },
        scope: None,
    };
    files.lists(&[authority.list_at(&[], (2030, 1), (2032, 1), Some(part))]);
    let refused = files.refused();
    assert!(refused.contains("issuing distribution point"), "{refused}");
}

/// A list in which the extension 2.5.29.`from` has become 2.5.29.`to`. No one signed that, but it is refused for what it
/// says before its signature is looked at.
fn patched(list: &str, from: u8, to: u8) -> String {
    let blocks = sluis_files::pem::revocation_lists(list.as_bytes()).expect("PEM");
    let mut der = blocks[0].der.to_vec();
    let oid = [0x06, 0x03, 0x55, 0x1d, from];
    let at = der.windows(oid.len()).position(|bytes| bytes == oid);
    der[at.expect("there") + 4] = to;
    pem("X509 CRL", &der)
}

#[test]
fn a_delta_list_and_one_with_an_unknown_critical_extension_are_refused() {
    let authority = authority();
    let files = Files::of(&authority);
    // The number of the list (20) and the number a delta list builds on (27) have the same form.
    files.lists(&[patched(&authority.revoke(&[]), 20, 27)]);
    let refused = files.refused();
    assert!(refused.contains("delta list"), "{refused}");
    let part = CrlIssuingDistributionPoint {
        distribution_point: CrlDistributionPoint {
            uris: vec!["http://authority.example/part-1.crl".to_owned()],
        },
        scope: None,
    };
    let critical = authority.list_at(&[], (2030, 1), (2032, 1), Some(part));
    files.lists(&[patched(&critical, 28, 127)]);
    let refused = files.refused();
    assert!(refused.contains("critical extension"), "{refused}");
}

#[test]
fn a_list_behind_a_byte_order_mark_is_not_skipped() {
    let one = authority_named("one");
    let two = authority_named("two");
    let files = Files::of(&one).authorities(&[&one, &two]);
    files.lists(&[one.revoke(&[]), two.revoke(&[])]);
    let (tls, mut stamp) = files.load(Arc::new(Noon));
    let open = peer(&one, 5);
    files.lists(&["\u{feff}".to_owned(), one.revoke(&[5]), two.revoke(&[])]);
    let refused = tls.reload(&mut stamp, false).expect_err("refused");
    assert!(refused.to_string().contains("byte order mark"), "{refused}");
    assert_eq!(tls.check(&open), Ok(()), "the old list is in force");
    files.lists(&[one.revoke(&[5]), two.revoke(&[])]);
    tls.reload(&mut stamp, false).expect("usable");
    assert_eq!(tls.check(&open), Err(Reason::CertificateRevoked));
}

#[test]
fn a_certificate_of_a_member_does_not_become_an_authority() {
    let authority = authority();
    let files = Files::of(&authority);
    let (own, _) = authority.issue(&[etl()], 5);
    let both = authority.certificate.pem() + &pem("CERTIFICATE", &own);
    fs::write(&files.settings.client_ca, both).expect("written");
    assert!(files.refused().contains("CA:TRUE"));
}

#[test]
fn certificates_of_an_authority_between_are_looked_up_in_its_own_list() {
    let root = authority();
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "between");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(SerialNumber::from(77u64));
    let certificate = params.signed_by(&key, &root.issuer).expect("certificate");
    let between = Authority {
        certificate,
        issuer: Issuer::new(params, key),
    };
    let files = Files::of(&root);
    let judge = |serial| {
        let (own, _) = between.issue(&[etl()], serial);
        let issuers = [between.certificate.der().to_vec()];
        verify_client(&files.settings, &own, &issuers, Noon.now())
    };
    files.lists(&[root.revoke(&[]), between.revoke(&[5])]);
    judge(6).expect("good");
    assert!(is_revoked(&judge(5)));
    // A serial number of the root's list says nothing about what the one between issued.
    files.lists(&[root.revoke(&[6]), between.revoke(&[])]);
    judge(6).expect("good");
    files.lists(&[root.revoke(&[77]), between.revoke(&[])]);
    assert!(is_revoked(&judge(6)), "the one between is revoked");
    files.lists(&[root.revoke(&[])]);
    assert!(matches!(judge(6), Err(TlsError::RevocationList)));
    // Of its name, but not signed with its key.
    let impostor = authority_named("between");
    files.lists(&[root.revoke(&[]), impostor.revoke(&[])]);
    assert!(matches!(judge(6), Err(TlsError::RevocationList)));
}
