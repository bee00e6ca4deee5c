//! Certificates made at run time, also of the wrong kinds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevocationReason, RevokedCertParams, SanType, SerialNumber,
};
use sluis_port::Clock;
use time::{Duration, OffsetDateTime};

use crate::clock::TestClock;
use crate::keys::key_pem;

/// Trust domain of all test certificates.
pub const TRUST_DOMAIN: &str = "sluis.test";

/// A client certificate and its key.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Certificate, PEM.
    pub cert_pem: String,
    /// Private key, PEM; made for this test and gone with it.
    pub key_pem: String,
    serial: [u8; 16],
}

/// What a client certificate is to be like.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// URI SANs.
    pub uris: Vec<String>,
    /// DNS SANs.
    pub dns: Vec<String>,
    /// Whether it expired an hour ago.
    pub expired: bool,
}

/// A certificate authority in a directory: `ca.pem`, `server.pem`, `server.key`, `crl.pem`.
pub struct Pki {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    revoked: Mutex<Vec<[u8; 16]>>,
}

impl Pki {
    /// A new authority with a server certificate for `localhost` and `127.0.0.1`, and an empty revocation list.
    pub fn create(directory: &Path) -> Self {
        Self::named(directory, "Sluis test CA")
    }

    /// As [`Self::create`], with a name of its own.
    pub fn named(directory: &Path, name: &str) -> Self {
        fs::create_dir_all(directory).expect("scratch directory");
        let mut params = params(name, Life::Present);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("key");
        let ca = params.self_signed(&key).expect("self-signed").pem();
        let pki = Self {
            directory: directory.to_owned(),
            issuer: Issuer::new(params, key),
            revoked: Mutex::default(),
        };
        pki.write("ca.pem", &ca);
        pki.renew_server();
        pki.write_crl();
        pki
    }

    /// Replaces the server's certificate and key; returns the certificate.
    pub fn renew_server(&self) -> String {
        let server = self.server();
        self.write("server.key", &server.key_pem);
        self.write("server.pem", &server.cert_pem);
        server.cert_pem
    }

    /// Credentials of a server, for `localhost` and `127.0.0.1`.
    pub fn server(&self) -> Credentials {
        let names = vec![
            SanType::DnsName("localhost".try_into().expect("ascii")),
            SanType::IpAddress("127.0.0.1".parse().expect("address")),
        ];
        self.issue(
            &KeyPair::generate().expect("key"),
            names,
            ExtendedKeyUsagePurpose::ServerAuth,
            Life::Present,
        )
    }

    /// Where a file of the authority is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The authority's certificate, PEM.
    pub fn ca_pem(&self) -> String {
        fs::read_to_string(self.path("ca.pem")).expect("written at creation")
    }

    /// Credentials of `organisation/member`, with the key that [`crate::people`] has for them.
    pub fn member(&self, member: &str) -> Credentials {
        self.client_with(&of_member(member), &own_key(member))
    }

    /// As [`Self::member`], in a certificate that has expired.
    pub fn expired_member(&self, member: &str) -> Credentials {
        self.client_with(
            &Wanted {
                expired: true,
                ..of_member(member)
            },
            &own_key(member),
        )
    }

    /// As [`Self::member`], in a certificate that is valid from tomorrow on.
    pub fn early_member(&self, member: &str) -> Credentials {
        let uris = of_member(member)
            .uris
            .into_iter()
            .map(|uri| SanType::URI(uri.try_into().expect("ascii")));
        self.issue(
            &own_key(member),
            uris.collect(),
            ExtendedKeyUsagePurpose::ClientAuth,
            Life::ToCome,
        )
    }

    /// As [`Self::member`], with the serial number of other credentials: authorities count for themselves.
    pub fn member_with_serial_of(&self, member: &str, other: &Credentials) -> Credentials {
        let uris = of_member(member)
            .uris
            .into_iter()
            .map(|uri| SanType::URI(uri.try_into().expect("ascii")));
        self.issue_as(
            other.serial,
            &own_key(member),
            uris.collect(),
            ExtendedKeyUsagePurpose::ClientAuth,
            Life::Present,
        )
    }

    /// As [`Self::member`], in a certificate that ends so many days from now.
    pub fn member_for_days(&self, member: &str, days: i64) -> Credentials {
        let uris = of_member(member)
            .uris
            .into_iter()
            .map(|uri| SanType::URI(uri.try_into().expect("ascii")));
        self.issue(
            &own_key(member),
            uris.collect(),
            ExtendedKeyUsagePurpose::ClientAuth,
            Life::Days(days),
        )
    }

    /// Credentials of `organisation/member` with a key of their own.
    pub fn other_key_of(&self, member: &str) -> Credentials {
        self.client(&of_member(member))
    }

    /// Credentials of any kind.
    pub fn client(&self, wanted: &Wanted) -> Credentials {
        self.client_with(wanted, &KeyPair::generate().expect("key"))
    }

    fn client_with(&self, wanted: &Wanted, key: &KeyPair) -> Credentials {
        let uris = wanted
            .uris
            .iter()
            .map(|uri| SanType::URI(uri.as_str().try_into().expect("ascii")));
        let dns = wanted
            .dns
            .iter()
            .map(|name| SanType::DnsName(name.as_str().try_into().expect("ascii")));
        let life = if wanted.expired {
            Life::Past
        } else {
            Life::Present
        };
        self.issue(
            key,
            uris.chain(dns).collect(),
            ExtendedKeyUsagePurpose::ClientAuth,
            life,
        )
    }

    /// Writes credentials as `NAME.pem` and `NAME.key` for the command line.
    pub fn write_credentials(&self, name: &str, credentials: &Credentials) -> (PathBuf, PathBuf) {
        let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
        self.write(&cert, &credentials.cert_pem);
        self.write(&key, &credentials.key_pem);
        (self.path(&cert), self.path(&key))
    }

    /// Puts a certificate on the revocation list.
    pub fn revoke(&self, credentials: &Credentials) {
        self.revoked
            .lock()
            .expect("not poisoned")
            .push(credentials.serial);
        self.write_crl();
    }

    fn issue(
        &self,
        key: &KeyPair,
        sans: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
        life: Life,
    ) -> Credentials {
        let mut serial = sluis_crypto::random::bytes::<16>();
        serial[0] = serial[0] & 0x3f | 0x40;
        self.issue_as(serial, key, sans, usage, life)
    }

    fn issue_as(
        &self,
        serial: [u8; 16],
        key: &KeyPair,
        sans: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
        life: Life,
    ) -> Credentials {
        let mut params = params("test", life);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.subject_alt_names = sans;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let cert_pem = params.signed_by(key, &self.issuer).expect("signed").pem();
        Credentials {
            cert_pem,
            key_pem: key.serialize_pem(),
            serial,
        }
    }

    /// The revocation list as it is now, PEM, valid from and to so many hours from now.
    pub fn list(&self, from_hours: i64, to_hours: i64) -> String {
        let now = now();
        let revoked = self.revoked.lock().expect("not poisoned");
        let params = CertificateRevocationListParams {
            this_update: now + Duration::hours(from_hours),
            next_update: now + Duration::hours(to_hours),
            crl_number: SerialNumber::from(revoked.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from_slice(serial),
                    revocation_time: now,
                    reason_code: Some(RevocationReason::KeyCompromise),
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("signed");
        list.pem().expect("PEM")
    }

    fn write_crl(&self) {
        self.write("crl.pem", &self.list(-1, 365 * 24));
    }

    /// Replaces a file of the daemon, such as `crl.pem`.
    pub fn install(&self, name: &str, content: &str) {
        self.write(name, content);
    }

    /// Writes beside and renames, as an operator should: the daemon may be reading.
    fn write(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside the directory"))
            .expect("scratch directory");
        let beside = path.with_extension("new");
        fs::write(&beside, content).expect("scratch file");
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).expect("own file");
        fs::rename(&beside, &path).expect("same directory");
    }
}

/// A good certificate of `organisation/member`.
pub fn of_member(member: &str) -> Wanted {
    Wanted {
        uris: vec![format!("spiffe://{TRUST_DOMAIN}/{member}")],
        dns: Vec::new(),
        expired: false,
    }
}

fn own_key(member: &str) -> KeyPair {
    KeyPair::from_pem(&key_pem(member)).expect("made here")
}

/// When a certificate is valid.
#[derive(Clone, Copy)]
enum Life {
    Past,
    Present,
    ToCome,
    Days(i64),
}

fn params(name: &str, life: Life) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let (from, to) = match life {
        Life::Past => (-Duration::days(2), -Duration::hours(1)),
        Life::Present => (-Duration::days(2), Duration::days(3650)),
        Life::ToCome => (Duration::days(1), Duration::days(3650)),
        Life::Days(days) => (-Duration::days(2), Duration::days(days)),
    };
    (params.not_before, params.not_after) = (now() + from, now() + to);
    params
}

fn now() -> OffsetDateTime {
    let millis = TestClock::now().now().millis();
    OffsetDateTime::from_unix_timestamp((millis / 1000) as i64).expect("this century")
}
