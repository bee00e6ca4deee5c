use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams,
    CrlIssuingDistributionPoint, DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use sluis_domain::Timestamp;

use super::*;

mod revocation;

const DOMAIN: &str = "custodian.example";

struct Noon;
impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::parse("2030-06-01T12:00:00Z").expect("valid")
    }
}

struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    authority_named("test authority")
}

fn authority_named(name: &str) -> Authority {
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).expect("certificate");
    Authority {
        certificate,
        issuer: Issuer::new(params, key),
    }
}

impl Authority {
    fn issue(&self, names: &[SanType], serial: u64) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_after = date_time_ymd(2031, 1, 2);
        let certificate = params.signed_by(&key, &self.issuer).expect("certificate");
        (certificate.der().clone(), key)
    }

    fn peer(&self, uris: &[&str]) -> Peer {
        let names: Vec<_> = uris.iter().map(|uri| uri_name(uri)).collect();
        Peer::from_chain(&[self.issue(&names, 5).0], DOMAIN)
    }

    fn revoke(&self, serials: &[u64]) -> String {
        self.list(serials, (2030, 1), (2032, 1))
    }

    /// A list with these serial numbers, from and to the first of these months.
    fn list(&self, serials: &[u64], from: (i32, u8), to: (i32, u8)) -> String {
        self.list_at(serials, from, to, None)
    }

    fn list_at(
        &self,
        serials: &[u64],
        from: (i32, u8),
        to: (i32, u8),
        part: Option<CrlIssuingDistributionPoint>,
    ) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2030, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(from.0, from.1, 1),
            next_update: date_time_ymd(to.0, to.1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: part,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params
            .signed_by(&self.issuer)
            .expect("crl")
            .pem()
            .expect("pem")
    }

    /// The files of a daemon whose certificate this authority issued.
    fn write(&self, directory: &Path) -> TlsSettings {
        let (certificate, key) = self.issue(
            &[SanType::DnsName("localhost".try_into().expect("name"))],
            1,
        );
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            fs::write(&path, text).expect("written");
            path
        };
        TlsSettings {
            cert: write("cert.pem", pem("CERTIFICATE", &certificate)),
            key: write("key.pem", key.serialize_pem()),
            client_ca: write("ca.pem", self.certificate.pem()),
            crl: Some(write("crl.pem", self.revoke(&[]))),
            crl_expired: CrlExpiry::Refuse,
            reload: std::time::Duration::from_secs(5),
            warnings: Warnings {
                warn_days: 14,
                alarm_days: 3,
            },
        }
    }
}

fn uri_name(uri: &str) -> SanType {
    SanType::URI(uri.try_into().expect("ASCII"))
}

fn pem(label: &str, der: &[u8]) -> String {
    use std::fmt::Write as _;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for chunk in der.chunks(3) {
        let mut bytes = [0; 3];
        bytes[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for i in 0..4 {
            let padding = i > chunk.len();
            let symbol = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if padding { '=' } else { symbol.into() });
        }
    }
    writeln!(text, "\n-----END {label}-----").expect("written");
    text
}

#[test]
fn exactly_one_uri_name_of_our_trust_domain_is_an_identity() {
    let authority = authority();
    let peer = authority.peer(&["spiffe://custodian.example/uni/etl"]);
    let caller = peer.caller().expect("a caller");
    assert_eq!(caller.identity.to_string(), "uni/etl");
    assert_eq!(
        caller.not_after,
        Timestamp::parse("2031-01-02T00:00:00Z").expect("valid")
    );
    let refused: [&[&str]; 7] = [
        &[],
        &[
            "spiffe://custodian.example/uni/etl",
            "spiffe://custodian.example/uni/other",
        ],
        &[
            "spiffe://custodian.example/uni/etl",
            "https://custodian.example/",
        ],
        &["spiffe://other.example/uni/etl"],
        &["spiffe://custodian.example/uni"],
        &["spiffe://custodian.example/uni/etl/x"],
        &["https://custodian.example/uni/etl"],
    ];
    for uris in refused {
        assert!(authority.peer(uris).caller().is_none(), "{uris:?}");
    }
}

#[test]
fn other_names_beside_the_uri_do_not_matter_and_no_certificate_is_nobody() {
    let names = [
        SanType::DnsName("etl.uni.example".try_into().expect("name")),
        uri_name("spiffe://custodian.example/uni/etl"),
    ];
    assert!(
        Peer::from_chain(&[authority().issue(&names, 5).0], DOMAIN)
            .caller()
            .is_some()
    );
    assert!(Peer::from_chain(&[], DOMAIN).caller().is_none());
    assert!(
        Peer::from_chain(&[CertificateDer::from(vec![1, 2, 3])], DOMAIN)
            .caller()
            .is_none()
    );
}

#[test]
fn a_bad_new_file_leaves_the_old_in_force_and_is_reported_once() {
    let directory = tempfile::tempdir().expect("directory");
    let authority = authority();
    let settings = authority.write(directory.path());
    let (tls, mut stamp) = Tls::load(settings.clone(), Arc::new(Noon)).expect("usable");
    for path in [
        &settings.cert,
        &settings.key,
        &settings.client_ca,
        settings.crl.as_ref().expect("a list"),
    ] {
        let (before, good) = (tls.config(), fs::read(path).expect("read"));
        fs::write(path, "not PEM").expect("written");
        assert!(tls.reload(&mut stamp, false).is_err());
        assert_eq!(
            tls.reload(&mut stamp, false).expect("reported already"),
            Reloaded::Unchanged
        );
        assert!(Arc::ptr_eq(&before, &tls.config()));
        fs::write(path, good).expect("written");
        assert_eq!(
            tls.reload(&mut stamp, false).expect("usable"),
            Reloaded::Changed
        );
        assert!(!Arc::ptr_eq(&before, &tls.config()));
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let directory = tempfile::tempdir().expect("directory");
    let settings = authority().write(directory.path());
    fs::write(
        &settings.key,
        KeyPair::generate().expect("key").serialize_pem(),
    )
    .expect("written");
    assert!(matches!(
        Tls::load(settings, Arc::new(Noon)).map(drop),
        Err(TlsError::Certificate(_))
    ));
}

#[test]
fn errors_name_the_file_and_never_its_content() {
    let directory = tempfile::tempdir().expect("directory");
    let settings = authority().write(directory.path());
    let marked = "-----BEGIN PRIVATE KEY-----\nMARKED-SECRET!\n-----END PRIVATE KEY-----\n";
    fs::write(&settings.key, marked).expect("written");
    let error = Tls::load(settings, Arc::new(Noon))
        .map(drop)
        .expect_err("not PEM");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("key.pem") && !text.contains("MARKED"),
        "{text}"
    );
}

#[test]
fn who_signed_without_a_connection_is_verified_as_in_a_handshake() {
    let directory = tempfile::tempdir().expect("directory");
    let root = authority();
    let settings = TlsSettings {
        crl: None,
        ..root.write(directory.path())
    };
    let (key, mut params) = (
        KeyPair::generate().expect("key"),
        CertificateParams::default(),
    );
    params
        .distinguished_name
        .push(DnType::CommonName, "between");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.signed_by(&key, &root.issuer).expect("certificate");
    let between = Authority {
        certificate,
        issuer: Issuer::new(params, key),
    };
    let (own, _) = between.issue(&[uri_name("spiffe://custodian.example/custodian/anna")], 5);
    let verify = |issuers: &[Vec<u8>], at| verify_client(&settings, &own, issuers, at);
    let issuers = [between.certificate.der().to_vec()];
    verify(&issuers, Noon.now()).expect("issued and valid");
    assert!(
        matches!(verify(&[], Noon.now()), Err(TlsError::Client(_))),
        "nobody known issued it"
    );
    let later = Timestamp::parse("2031-01-03T00:00:00Z").expect("valid");
    assert!(
        matches!(verify(&issuers, later), Err(TlsError::Client(_))),
        "it has expired"
    );
}
