//! A KEK that only a hardware token can unwrap, through PKCS#11.
//!
//! The token holds an AES-256 key that never leaves it. It wraps a random KEK, and the store keeps the wrapped KEK
//! ([`super::record`]). One who copies the store needs the token too; one who steals the token needs the store and the PIN.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use sluis_crypto::{Secret, random};
use zeroize::Zeroizing;

use super::read_private;
use super::record::{IV, SEALED};
use crate::{Kek, KekError, KekRecord, Protection, TokenError, WrappedKek};

/// Associated data of the wrapped KEK.
const AAD: &[u8] = b"sluis/1 kek";
/// Bits of the tag.
const TAG_BITS: u64 = 128;
/// Longest PIN, in bytes: with its line feed it fits the longest file that is read.
const MAX_PIN: usize = 126;

/// Which token, and which key in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenSettings {
    /// The PKCS#11 library of the token's maker. It runs in this process.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// Label of the AES key in it.
    pub key: String,
    /// A file with the PIN in one line, readable by its owner only.
    pub pin_file: PathBuf,
}

/// A token with a session that is logged in. Blocks while the token works; may be shared by threads, one at a time.
pub struct Token {
    settings: TokenSettings,
    slot: Slot,
    context: Pkcs11,
    session: Mutex<Session>,
}

impl Token {
    /// Loads the module, finds the token and logs in. One attempt: tokens lock themselves after a few wrong PINs.
    ///
    /// # Errors
    /// [`TokenError`], all but the errors of keys.
    pub fn open(settings: &TokenSettings) -> Result<Self, TokenError> {
        let pin = read_pin(&settings.pin_file)?;
        let module = &settings.module;
        let context = Pkcs11::new(module).map_err(|reason| refused(module, reason))?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another `Token` of this process uses the module as well.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(reason) => return Err(refused(module, reason)),
        }
        let slot = find_slot(&context, &settings.token)?;
        let session = context.open_ro_session(slot).map_err(gone)?;
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => {
                return Err(TokenError::WrongPin);
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => return Err(TokenError::PinLocked),
            Err(reason) => return Err(gone(reason)),
        }
        Ok(Self {
            settings: settings.clone(),
            slot,
            context,
            session: Mutex::new(session),
        })
    }

    /// Makes the key in the token unless it is there: AES-256, sensitive, never extractable, for encryption only.
    /// Whether it was made.
    ///
    /// # Errors
    /// [`TokenError::KeyAmbiguous`], [`TokenError::KeyUnfit`], [`TokenError::Gone`].
    pub fn ensure_key(&self) -> Result<bool, TokenError> {
        match self.find_key(&self.session()) {
            Ok(_) => return Ok(false),
            Err(TokenError::KeyAbsent(_)) => {}
            Err(other) => return Err(other),
        }
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(32.into()),
            Attribute::Label(self.settings.key.clone().into_bytes()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
        ];
        // The login of the read-only session counts for the whole process.
        let writing = self.context.open_rw_session(self.slot).map_err(gone)?;
        writing
            .generate_key(&Mechanism::AesKeyGen, &template)
            .map_err(gone)?;
        Ok(true)
    }

    /// A new random KEK, wrapped by the token's key.
    ///
    /// # Errors
    /// [`TokenError::KeyAbsent`], [`TokenError::KeyAmbiguous`], [`TokenError::KeyUnfit`], [`TokenError::Gone`].
    pub fn new_kek(&self) -> Result<Kek, TokenError> {
        let session = self.session();
        let key = self.find_key(&session)?;
        let (secret, mut iv) = (Secret::random(), random::bytes::<IV>());
        let params = GcmParams::new(&mut iv, AAD, TAG_BITS.into()).map_err(gone)?;
        // Some tokens choose the initialisation vector themselves and write it over this one.
        let sealed = session
            .encrypt(&Mechanism::AesGcm(params), key, secret.expose())
            .map_err(gone)?;
        let sealed: [u8; SEALED] = sealed
            .try_into()
            .map_err(|_| TokenError::Gone("a ciphertext of another length".into()))?;
        // What the token sealed must be what it opens, before anything depends on it.
        let wrapped = WrappedKek { iv, sealed };
        if self.open_wrap(&session, key, &wrapped)? != secret {
            return Err(TokenError::Gone(
                "it does not give back what it wrapped".into(),
            ));
        }
        Ok(Kek::new(secret, Protection::Token(wrapped)))
    }

    /// The KEK of a store.
    ///
    /// # Errors
    /// As [`Self::new_kek`]; [`TokenError::WrongKey`], also for a store whose KEK is not in a token.
    pub fn unwrap(&self, record: &KekRecord) -> Result<Kek, TokenError> {
        let Protection::Token(wrapped) = &record.protection else {
            return Err(TokenError::WrongKey(self.settings.key.clone()));
        };
        let session = self.session();
        let key = self.find_key(&session)?;
        let secret = self.open_wrap(&session, key, wrapped)?;
        Ok(Kek::new(secret, record.protection.clone()))
    }

    /// Whether token, session and key are still there. Cheap; never logs in.
    ///
    /// # Errors
    /// [`TokenError`] of what is not there any more. A new [`Token`] may find it again.
    pub fn ping(&self) -> Result<(), TokenError> {
        find_slot(&self.context, &self.settings.token)?;
        self.find_key(&self.session()).map(drop)
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_key(&self, session: &Session) -> Result<ObjectHandle, TokenError> {
        let label = &self.settings.key;
        let wanted = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(label.clone().into_bytes()),
        ];
        let key = match session.find_objects(&wanted).map_err(gone)?[..] {
            [] => return Err(TokenError::KeyAbsent(label.clone())),
            [key] => key,
            _ => return Err(TokenError::KeyAmbiguous(label.clone())),
        };
        let asked = [
            AttributeType::Sensitive,
            AttributeType::Extractable,
            AttributeType::ValueLen,
        ];
        let attributes = session.get_attributes(key, &asked).map_err(gone)?;
        let fit = [
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::ValueLen(32.into()),
        ];
        if fit.iter().all(|attribute| attributes.contains(attribute)) {
            Ok(key)
        } else {
            Err(TokenError::KeyUnfit(label.clone()))
        }
    }

    fn open_wrap(
        &self,
        session: &Session,
        key: ObjectHandle,
        wrapped: &WrappedKek,
    ) -> Result<Secret, TokenError> {
        let mut iv = wrapped.iv;
        let params = GcmParams::new(&mut iv, AAD, TAG_BITS.into()).map_err(gone)?;
        match session
            .decrypt(&Mechanism::AesGcm(params), key, &wrapped.sealed)
            .map(Zeroizing::new)
        {
            Ok(bytes) => Secret::from_slice(&bytes)
                .ok_or_else(|| TokenError::WrongKey(self.settings.key.clone())),
            // Modules name a wrong tag differently: if the token still works, that is what it was.
            Err(_) if self.find_key(session).is_ok() => {
                Err(TokenError::WrongKey(self.settings.key.clone()))
            }
            Err(reason) => Err(gone(reason)),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Token({:?}, key {:?})",
            self.settings.token, self.settings.key
        )
    }
}

fn find_slot(context: &Pkcs11, label: &str) -> Result<Slot, TokenError> {
    let (mut found, mut silent) = (Vec::new(), None);
    for slot in context.get_slots_with_token().map_err(gone)? {
        match context.get_token_info(slot) {
            Ok(info) if info.token_initialized() && info.label() == label => found.push(slot),
            Ok(_) => {}
            // It may be the one, or another's that is broken.
            Err(reason) => silent = Some(gone(reason)),
        }
    }
    match found[..] {
        [] => Err(silent.unwrap_or_else(|| TokenError::TokenAbsent(label.to_owned()))),
        [slot] => Ok(slot),
        _ => Err(TokenError::TokenAmbiguous(label.to_owned())),
    }
}

fn refused(module: &Path, reason: Error) -> TokenError {
    TokenError::Module {
        path: module.display().to_string(),
        reason: said(&reason),
    }
}

fn gone(reason: Error) -> TokenError {
    TokenError::Gone(said(&reason))
}

/// What a module said: function and code, and no content.
fn said(reason: &Error) -> String {
    match reason {
        Error::Pkcs11(code, function) => format!("{function:?}: {code:?}"),
        other => other.to_string(),
    }
}

fn read_pin(path: &Path) -> Result<AuthPin, KekError> {
    let content = read_private("PIN", path)?;
    let line = content.strip_suffix(b"\n").unwrap_or(&content);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let printable =
        (1..=MAX_PIN).contains(&line.len()) && line.iter().all(|byte| (b' '..=b'~').contains(byte));
    let text = std::str::from_utf8(line).ok().filter(|_| printable);
    // Made at its final size, so that no copy stays behind.
    text.map(|pin| AuthPin::new(pin.into()))
        .ok_or_else(|| KekError::MalformedPin(path.display().to_string()))
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
