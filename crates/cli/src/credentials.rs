//! The files of a connection: read strictly, named in every error, and looked at before anything is sent.

use sluis_domain::time::DAY_MILLIS;
use std::path::{Path, PathBuf};

use sluis_client::{ClientError, Holder, Material, Zeroizing};
use sluis_domain::Timestamp;
use sluis_files::{FileError, MAX_PEM_BYTES, pem};

use crate::clock;
use crate::error::CliError;
use crate::output;

/// Days before the end of the own certificate from which on every command says so.
const WARN_DAYS: u64 = 14;

/// Where the files of a connection are.
pub(crate) struct Files {
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    /// An error of the client, with the path of the file that it is about.
    pub(crate) fn name(&self, error: ClientError) -> CliError {
        match error {
            ClientError::Material { material, reason } => unusable(self.path(material), reason),
            ClientError::Handshake {
                about: Some(material),
                text,
            } => {
                let text = format!("{text}: {}", self.path(material).display());
                let about = Some(material);
                ClientError::Handshake { about, text }.into()
            }
            other => other.into(),
        }
    }

    fn path(&self, material: Material) -> &Path {
        match material {
            Material::Authorities => &self.ca,
            Material::Certificate => &self.cert,
            Material::Key => &self.key,
        }
    }
}

/// A file with certificates.
///
/// # Errors
/// [`CliError::Io`], and [`CliError::Usage`] for what is no regular file or too large.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    sluis_files::read(path, MAX_PEM_BYTES).map_err(|error| match error {
        FileError::Io(source) => CliError::reading(path)(source),
        other => CliError::usage(format!("{} {other}", path.display())),
    })
}

/// A file with exactly one private key.
///
/// # Errors
/// As [`read`], and [`CliError::Usage`] for anything else in it.
pub(crate) fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let content = read(path)?;
    pem::private_key(&content).map_err(|error| unusable(path, error))?;
    Ok(content)
}

/// Refuses a file that is not one certificate of an authority.
///
/// # Errors
/// [`CliError::Usage`].
pub(crate) fn authority(path: &Path, pem: &[u8]) -> Result<(), CliError> {
    let found = sluis_files::authorities(pem).map_err(|error| unusable(path, error))?;
    match found.as_slice() {
        [_] => Ok(()),
        _ => Err(unusable(path, "it must hold one certificate")),
    }
}

/// The holder of the certificate in a file.
///
/// # Errors
/// As [`read`], and those of [`Holder::from_pem`], with the path.
pub(crate) fn holder(path: &Path) -> Result<Holder, CliError> {
    Holder::from_pem(&read(path)?).map_err(|error| match error {
        ClientError::Material { reason, .. } => unusable(path, reason),
        ClientError::Config(reason) => unusable(path, reason),
        other => other.into(),
    })
}

/// Looks at the dates of the own certificates: the custodian would refuse them, and TLS has one alert for all of it.
/// Warns when they end soon.
///
/// # Errors
/// [`CliError::Client`] if one has expired or is not valid yet, [`CliError::Usage`] for a file that cannot be used.
pub(crate) fn check_dates(path: &Path, pem: &[u8]) -> Result<(), CliError> {
    let chain = sluis_files::chain(pem).map_err(|error| unusable(path, error))?;
    let now = clock::now();
    for certificate in chain {
        let file = path.display();
        let subject = &certificate.subject;
        let (from, to) = (certificate.not_before, certificate.not_after);
        if now > to {
            let text = format!(
                "the certificate {subject} in {file} expired at {to}, and this machine's clock says {now}; renew it, or set \
                 the clock"
            );
            return Err(refused(text));
        }
        if now < from {
            let text = format!(
                "the certificate {subject} in {file} is not valid before {from}, and this machine's clock says {now}; set the \
                 clock, or wait"
            );
            return Err(refused(text));
        }
        if let Some(days) = days_if_soon(now, to) {
            output::warn(format!(
                "the certificate {subject} in {file} ends in {days} days, at {to}; renew it"
            ));
        }
    }
    Ok(())
}

/// Whole days, begun ones counted, if they are few.
fn days_if_soon(now: Timestamp, end: Timestamp) -> Option<u64> {
    let left = end.millis().saturating_sub(now.millis());
    Some(left.div_ceil(DAY_MILLIS)).filter(|days| *days <= WARN_DAYS)
}

fn refused(text: String) -> CliError {
    let about = Some(Material::Certificate);
    ClientError::Handshake { about, text }.into()
}

fn unusable(path: &Path, reason: impl std::fmt::Display) -> CliError {
    CliError::usage(format!("{}: {reason}", path.display()))
}
