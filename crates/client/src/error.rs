//! What can go wrong between a caller and a custodian.

use std::error::Error;

use sluis_wire::Invalid;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The domain of the custodian's reason codes.
const DOMAIN: &str = "sluis";
/// The header that names a request in the custodian's log.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// What can go wrong between a caller and a custodian.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The caller's own configuration cannot be used.
    #[error("{0}")]
    Config(&'static str),
    /// A file of the caller cannot be used.
    #[error("{material}: {reason}")]
    Material {
        /// Which file.
        material: crate::Material,
        /// What was seen in it. Nothing of what it holds.
        reason: String,
    },
    /// The TLS handshake failed: one of the two sides does not accept the other.
    #[error("no connection to the custodian: {text}")]
    Handshake {
        /// The file of the caller that may have to be replaced.
        about: Option<crate::Material>,
        /// For people: why, and what to do.
        text: String,
    },
    /// Nothing could be signed with the caller's key.
    #[error(transparent)]
    Signing(#[from] crate::SigningError),
    /// No connection: nothing was asked. The text is for people; it holds no personal data.
    #[error("no connection to the custodian: {0}")]
    Transport(String),
    /// The connection broke after something was asked and before it was answered. The text is for people.
    #[error("the connection to the custodian broke: {0}")]
    Broken(String),
    /// The custodian answered, and refused.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The custodian answered something that the contract does not allow.
    #[error(
        "the custodian broke the protocol: {0}; try again, and if it comes back, tell the custodian"
    )]
    Protocol(&'static str),
    /// The custodian answered something that the contract does not allow, or that only a later version understands.
    #[error(
        "the custodian broke the protocol, or is newer than this version: {0}; try again, and if it comes back, tell the custodian"
    )]
    Invalid(#[from] Invalid),
    /// The batch is larger than this custodian accepts. Nothing was sent.
    #[error("the batch is larger than this custodian accepts; send smaller batches")]
    BatchTooLarge,
    /// The stream has ended; [`crate::BatchReceiver::next`] says why.
    #[error("the stream has ended")]
    Closed,
}

/// An answer other than success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The canonical gRPC code.
    pub code: Code,
    /// The stable reason code of the custodian, such as `GRANT_EXPIRED`; `None` if the answer carries none.
    pub reason: Option<String>,
    /// For people.
    pub message: String,
    /// Names the request in the custodian's log.
    pub request_id: Option<String>,
    /// The fields that are wrong, if the custodian named any.
    pub violations: Vec<Violation>,
}

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where.
    pub field: String,
    /// What is wrong.
    pub description: String,
}

impl ClientError {
    /// The custodian's reason code, if it refused and gave one.
    pub fn reason(&self) -> Option<&str> {
        self.refusal().and_then(|refusal| refusal.reason.as_deref())
    }

    /// The custodian's answer, if it refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether there is or was no working connection: TCP, TLS, or a certificate that the custodian does not accept.
    pub fn is_connection(&self) -> bool {
        matches!(
            self,
            Self::Transport(_) | Self::Broken(_) | Self::Handshake { .. }
        )
    }

    /// Whether what was asked may be done although there was no answer to say so.
    pub fn is_unsure(&self) -> bool {
        match self {
            Self::Broken(_) => true,
            // Not by the custodian's rules: what the transport made of an answer that did not come.
            Self::Refused(refusal) => {
                let unanswered = matches!(
                    refusal.code,
                    Code::Unknown
                        | Code::Internal
                        | Code::Unavailable
                        | Code::Cancelled
                        | Code::DeadlineExceeded
                );
                refusal.reason.is_none() && unanswered
            }
            Self::Protocol(_) | Self::Invalid(_) => true,
            _ => false,
        }
    }

    /// The id of the request in the custodian's log, if there is one.
    pub fn request_id(&self) -> Option<&str> {
        self.refusal()
            .and_then(|refusal| refusal.request_id.as_deref())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{reason}: {}", self.message),
            None => write!(f, "{:?}: {}", self.code, self.message),
        }
    }
}

impl Error for Refusal {}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        if let Some(source) = status.source() {
            return if was_never_asked(source) {
                Self::Transport(chain(source))
            } else {
                Self::Broken(chain(source))
            };
        }
        let details = status.get_error_details();
        let reason = details
            .error_info()
            .filter(|info| info.domain == DOMAIN)
            .map(|info| info.reason.clone());
        let violations = details
            .bad_request()
            .map(|bad| &bad.field_violations[..])
            .unwrap_or_default();
        let request_id = details.request_info().map(|info| info.request_id.clone());
        let header = status.metadata().get(REQUEST_ID);
        let header = header.and_then(|id| id.to_str().ok()).map(str::to_owned);
        Self::Refused(Box::new(Refusal {
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            request_id: header.or(request_id),
            violations: violations
                .iter()
                .map(|v| Violation {
                    field: v.field.clone(),
                    description: v.description.clone(),
                })
                .collect(),
        }))
    }
}

impl From<tonic::transport::Error> for ClientError {
    fn from(error: tonic::transport::Error) -> Self {
        Self::Transport(chain(&error))
    }
}

/// Whether there was no connection to ask on: it did not come about, or the custodian turned the certificate down, which
/// with TLS 1.3 shows only at the first call.
fn was_never_asked(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let turned_down = matches!(
            error.downcast_ref::<rustls::Error>(),
            Some(rustls::Error::AlertReceived(_))
        );
        // The source of an I/O error is not the error inside it.
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        let inner = inner.map(|inner| inner as &(dyn Error + 'static));
        if turned_down || error.is::<tonic::ConnectError>() || inner.is_some_and(was_never_asked) {
            return true;
        }
        next = error.source();
    }
    false
}

/// The causes of an error in one line, outermost first; a cause that says what was said already is left out.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    fn status(domain: &str) -> Status {
        let mut details = ErrorDetails::with_error_info("GRANT_EXPIRED", domain, HashMap::new());
        details.set_bad_request(vec![FieldViolation::new("open.chain_id", "is empty")]);
        let mut status =
            Status::with_error_details(Code::FailedPrecondition, "the grant has expired", details);
        status
            .metadata_mut()
            .insert(REQUEST_ID, "r-17".parse().expect("ascii"));
        status
    }

    #[test]
    fn a_refusal_carries_reason_message_request_id_and_violations() {
        let error = ClientError::from(status("sluis"));
        assert_eq!(error.reason(), Some("GRANT_EXPIRED"));
        assert_eq!(error.request_id(), Some("r-17"));
        assert_eq!(error.to_string(), "GRANT_EXPIRED: the grant has expired");
        let refusal = error.refusal().expect("refused");
        assert_eq!(
            refusal.violations,
            [Violation {
                field: "open.chain_id".into(),
                description: "is empty".into()
            }]
        );
    }

    #[test]
    fn a_reason_of_somebody_else_is_not_ours() {
        assert_eq!(ClientError::from(status("googleapis.com")).reason(), None);
    }

    #[test]
    fn an_answer_that_did_not_come_is_no_refusal() {
        let of = |error: Box<dyn Error + Send + Sync>| ClientError::from(Status::from_error(error));
        let broken = of(Box::new(std::io::Error::other("reset")));
        assert!(matches!(broken, ClientError::Broken(_)) && broken.is_unsure());
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let away = of(Box::new(tonic::ConnectError(Box::new(refused))));
        assert!(matches!(away, ClientError::Transport(_)) && !away.is_unsure());
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateExpired);
        let turned_down = of(Box::new(std::io::Error::other(alert)));
        assert!(matches!(turned_down, ClientError::Transport(_)) && !turned_down.is_unsure());
        assert!(ClientError::from(Status::internal("no trailers")).is_unsure());
        assert!(!ClientError::from(status("sluis")).is_unsure());
    }

    #[test]
    fn causes_are_told_once_each() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(
            chain(&Outer(std::io::Error::other("inner"))),
            "outer: inner"
        );
        assert_eq!(chain(&Outer(std::io::Error::other("outer"))), "outer");
    }
}
