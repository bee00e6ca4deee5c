//! The certificate authority: ECDSA P-256, SHA-256 (rcgen over aws-lc-rs).

use std::io;
use std::net::IpAddr;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, RevocationReason, RevokedCertParams, SanType, SerialNumber,
};
use sluis_domain::{Identity, Timestamp};
use time::{Duration, OffsetDateTime};

use crate::error::CliError;

/// A certificate is valid from a little before it is made, for clocks that differ.
const SKEW: Duration = Duration::hours(1);
/// How long the authority and its revocation list are valid.
const AUTHORITY_DAYS: i64 = 3650;

/// A serial number: 16 bytes, random, positive.
pub(super) type Serial = [u8; 16];

/// The authority.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    now: Timestamp,
}

/// A new certificate and its key, as PEM.
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) serial: Serial,
}

/// What the server certificate is for.
pub(super) struct Server<'a> {
    pub(super) names: &'a [String],
    pub(super) ips: &'a [IpAddr],
}

impl Authority {
    /// A new authority and its certificate as PEM.
    pub(super) fn create(trust_domain: &str, now: Timestamp) -> Result<(Self, String), CliError> {
        let mut params = params(
            &format!("Sluis development CA ({trust_domain})"),
            now,
            AUTHORITY_DAYS,
        )?
        .0;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = false;
        let key = key_pair()?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok((
            Self {
                issuer: Issuer::new(params, key),
                now,
            },
            certificate,
        ))
    }

    /// The authority of an earlier run, from PEM.
    pub(super) fn load(certificate: &str, key: &str, now: Timestamp) -> Result<Self, CliError> {
        let issuer = KeyPair::from_pem(key)
            .and_then(|key| Issuer::from_ca_cert_pem(certificate, key))
            .map_err(|error| {
                CliError::input(format!("ca.pem or ca.key cannot be used: {error}"))
            })?;
        Ok(Self { issuer, now })
    }

    /// The authority's private key as PKCS#8 PEM.
    pub(super) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A server certificate.
    pub(super) fn server(&self, server: &Server<'_>, days: u32) -> Result<Issued, CliError> {
        let mut sans = Vec::new();
        for name in server.names {
            sans.push(SanType::DnsName(ia5(name)?));
        }
        sans.extend(server.ips.iter().copied().map(SanType::IpAddress));
        self.issue("sluisd", sans, ExtendedKeyUsagePurpose::ServerAuth, days)
    }

    /// A client certificate with the member's SPIFFE id as its only SAN.
    pub(super) fn member(
        &self,
        trust_domain: &str,
        member: &Identity,
        days: u32,
    ) -> Result<Issued, CliError> {
        let id = SanType::URI(ia5(&format!("spiffe://{trust_domain}/{member}"))?);
        self.issue(
            &member.to_string(),
            vec![id],
            ExtendedKeyUsagePurpose::ClientAuth,
            days,
        )
    }

    /// A revocation list as PEM. Its number is the time, so that it rises.
    pub(super) fn crl(&self, revoked: &[Serial]) -> Result<String, CliError> {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: moment(self.now),
            reason_code: Some(RevocationReason::Unspecified),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: moment(self.now) - SKEW,
            next_update: moment(self.now) + Duration::days(AUTHORITY_DAYS),
            crl_number: SerialNumber::from(self.now.millis()),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params
            .signed_by(&self.issuer)
            .and_then(|crl| crl.pem())
            .map_err(failed)
    }

    fn issue(
        &self,
        name: &str,
        sans: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
        days: u32,
    ) -> Result<Issued, CliError> {
        let (mut params, serial) = params(name, self.now, days.into())?;
        params.subject_alt_names = sans;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = key_pair()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?.pem();
        Ok(Issued {
            certificate,
            key: key.serialize_pem(),
            serial,
        })
    }
}

fn params(name: &str, now: Timestamp, days: i64) -> Result<(CertificateParams, Serial), CliError> {
    let serial = serial()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
        .distinguished_name
        .push(DnType::OrganizationName, "for development only");
    params.not_before = moment(now) - SKEW;
    params.not_after = moment(now) + Duration::days(days);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.use_authority_key_identifier_extension = true;
    Ok((params, serial))
}

/// RFC 5280, section 4.1.2.2: positive, at most 20 bytes. The first byte is 0x40 to 0x7f: no sign, no leading zero.
fn serial() -> Result<Serial, CliError> {
    let mut serial = Serial::default();
    getrandom::fill(&mut serial).map_err(|error| CliError::Io {
        what: "the system gives no randomness".into(),
        source: io::Error::other(error),
    })?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(serial)
}

fn key_pair() -> Result<KeyPair, CliError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)
}

fn ia5(text: &str) -> Result<Ia5String, CliError> {
    text.try_into().map_err(|_| {
        CliError::usage(format!(
            "{text} cannot stand in a certificate: it is not ASCII"
        ))
    })
}

fn moment(now: Timestamp) -> OffsetDateTime {
    let seconds = i64::try_from(now.millis() / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn failed(error: rcgen::Error) -> CliError {
    CliError::usage(format!("the certificate could not be made: {error}"))
}
