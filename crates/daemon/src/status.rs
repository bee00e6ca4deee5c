//! The one way from a refusal to a gRPC status.
//!
//! Outwards: the fixed message of the reason, `google.rpc.ErrorInfo { reason, domain: "sluis" }`, where fields are at
//! fault `google.rpc.BadRequest`, and where waiting helps `google.rpc.RetryInfo`. The detail stays inside, for the log.

use std::collections::HashMap;
use std::time::Duration;

use sluis_domain::Reason;
use sluis_domain::reason::Category;
use sluis_engine::Refusal;
use sluis_ledger::audit::Act;
use sluis_wire::Invalid;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The `domain` of every `google.rpc.ErrorInfo`.
pub const ERROR_DOMAIN: &str = "sluis";

/// Most violations in one answer: an answer's trailers must stay within clients' header limits.
const MAX_VIOLATIONS: usize = 50;
/// Most bytes of all violations together, for the same reason (8 KiB is the common limit; base64 adds a third).
const MAX_VIOLATION_BYTES: usize = 4_096;

/// Why a request is refused, by the engine or by the daemon itself. Holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) reason: Reason,
    /// For the log only.
    pub(crate) detail: String,
    /// Field and what is wrong with it.
    pub(crate) violations: Vec<(String, String)>,
    /// Whether the engine refused, which has put it on record.
    pub(crate) recorded: bool,
    /// As what it goes on record; the act of the RPC unless something else is said.
    pub(crate) act: Option<Act>,
    /// When the caller may try again.
    pub(crate) again_in: Option<Duration>,
}

impl Denial {
    /// A field of the request is missing or malformed. `description` must not quote the request's data.
    pub(crate) fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::from(Reason::InvalidRequest).with(field, description)
    }

    /// Names a field.
    #[must_use]
    pub(crate) fn with(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.violations.push((field.into(), description.into()));
        self
    }

    /// Says when the caller may try again.
    #[must_use]
    pub(crate) fn again_in(mut self, time: Duration) -> Self {
        // Whole seconds, so that who waits that long is not early.
        let seconds = time.as_millis().div_ceil(1_000).max(1);
        self.again_in = Some(Duration::from_secs(
            u64::try_from(seconds).unwrap_or(u64::MAX),
        ));
        self.with("caller", format!("try again in {seconds} seconds"))
    }

    /// A defect of the daemon.
    pub(crate) fn internal(detail: &str) -> Self {
        Self {
            detail: detail.to_owned(),
            ..Self::from(Reason::Internal)
        }
    }

    /// The answer. Use [`crate::server::Call::deny`], which also records it.
    pub(crate) fn status(&self) -> Status {
        let mut details =
            ErrorDetails::with_error_info(self.reason.code(), ERROR_DOMAIN, HashMap::new());
        let violations = self.shown_violations();
        if !violations.is_empty() {
            details.set_bad_request(violations);
        }
        if self.again_in.is_some() {
            details.set_retry_info(self.again_in);
        }
        Status::with_error_details(code(self.reason), self.reason.message(), details)
    }

    fn shown_violations(&self) -> Vec<FieldViolation> {
        let mut room = MAX_VIOLATION_BYTES;
        let mut shown = Vec::new();
        for (field, description) in &self.violations {
            let size = field.len() + description.len();
            if size > room || shown.len() == MAX_VIOLATIONS {
                let rest = self.violations.len() - shown.len();
                shown.push(FieldViolation::new(
                    "",
                    format!("{rest} more, not shown; repair the others first"),
                ));
                break;
            }
            room -= size;
            shown.push(FieldViolation::new(field, description));
        }
        shown
    }
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            detail: String::new(),
            violations: Vec::new(),
            recorded: false,
            act: None,
            again_in: None,
        }
    }
}

impl From<Invalid> for Denial {
    fn from(invalid: Invalid) -> Self {
        Self::from(invalid.reason).with(invalid.field, invalid.problem)
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        let violations = refusal
            .violations()
            .iter()
            .map(|v| (v.field.clone(), v.description.clone()))
            .collect();
        Self {
            reason: refusal.reason(),
            detail: refusal.detail().to_owned(),
            violations,
            recorded: true,
            act: None,
            again_in: None,
        }
    }
}

/// The canonical code of a reason.
pub(crate) fn code(reason: Reason) -> Code {
    match reason.category() {
        Category::InvalidArgument => Code::InvalidArgument,
        Category::Unauthenticated => Code::Unauthenticated,
        Category::PermissionDenied => Code::PermissionDenied,
        Category::NotFound => Code::NotFound,
        Category::AlreadyExists => Code::AlreadyExists,
        Category::FailedPrecondition => Code::FailedPrecondition,
        Category::ResourceExhausted => Code::ResourceExhausted,
        Category::Aborted => Code::Aborted,
        Category::Unavailable => Code::Unavailable,
        Category::DeadlineExceeded => Code::DeadlineExceeded,
        // A row reason as an answer to a request is a defect.
        Category::Internal | Category::Row => Code::Internal,
    }
}

/// The name of a canonical code, as in the gRPC specification.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_status_with_code_message_and_domain() {
        for reason in Reason::ALL {
            let status = Denial::from(*reason).status();
            assert_ne!(status.code(), Code::Ok);
            assert_eq!(status.message(), reason.message());
            let info = status.get_details_error_info().expect("ErrorInfo");
            assert_eq!(
                (info.reason.as_str(), info.domain.as_str()),
                (reason.code(), "sluis")
            );
        }
    }

    #[test]
    fn violations_name_the_field_and_the_detail_stays_inside() {
        let mut denial = Denial::field("batch.rows", "too many");
        denial.detail = "inside".to_owned();
        let status = denial.status();
        let violations = status
            .get_details_bad_request()
            .expect("BadRequest")
            .field_violations;
        assert_eq!(violations[0].field, "batch.rows");
        assert!(!format!("{status:?}").contains("inside"));
    }

    #[test]
    fn a_caller_is_told_when_to_try_again() {
        let denial = Denial::from(Reason::RateLimited).again_in(Duration::from_millis(1_200));
        let status = denial.status();
        let told = status.get_details_retry_info().expect("RetryInfo");
        assert_eq!(told.retry_delay, Some(Duration::from_secs(2)));
        let violations = status.get_details_bad_request().expect("BadRequest");
        let said = &violations.field_violations[0].description;
        assert_eq!(said, "try again in 2 seconds");
    }

    #[test]
    fn many_violations_stay_within_the_header_limits_of_clients() {
        let mut denial = Denial::from(Reason::InvalidRegistry);
        for i in 0..1_000 {
            denial = denial.with(format!("line {i}"), "x".repeat(100));
        }
        let status = denial.status();
        assert!(status.details().len() < 6_000, "{}", status.details().len());
        let violations = status
            .get_details_bad_request()
            .expect("BadRequest")
            .field_violations;
        assert!(
            violations
                .last()
                .is_some_and(|v| v.description.contains("more, not shown"))
        );
    }

    /// `docs/errors.md` is this text; set `SLUIS_WRITE_DOCS=1` to write it again.
    #[test]
    fn the_error_catalogue_is_in_sync() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        let expected = catalogue();
        if std::env::var_os("SLUIS_WRITE_DOCS").is_some() {
            std::fs::write(path, &expected).expect("docs/errors.md can be written");
        }
        let same = std::fs::read_to_string(path).unwrap_or_default() == expected;
        assert!(
            same,
            "docs/errors.md is not what the reasons say; SLUIS_WRITE_DOCS=1 writes it anew"
        );
    }

    fn catalogue() -> String {
        let mut text = String::from(CATALOGUE_HEAD);
        let row = |reason: &&Reason| reason.category() == Category::Row;
        text.push_str(
            "\n## Answers to a request\n\n| reason | gRPC code | message |\n|---|---|---|\n",
        );
        for reason in Reason::ALL.iter().filter(|r| !row(r)) {
            let code = code_name(code(*reason));
            text.push_str(&format!(
                "| `{}` | `{code}` | {} |\n",
                reason.code(),
                reason.message()
            ));
        }
        text.push_str(
            "\n## Reasons for which a row is rejected\n\n| reason | meaning |\n|---|---|\n",
        );
        for reason in Reason::ALL.iter().filter(row) {
            text.push_str(&format!("| `{}` | {} |\n", reason.code(), reason.message()));
        }
        text
    }

    const CATALOGUE_HEAD: &str = "# Errors\n
<!-- Generated from the reasons in crates/domain/src/reason.rs; a test compares. SLUIS_WRITE_DOCS=1 writes it anew. -->\n
A refused request is answered with a `google.rpc.Status` that holds `google.rpc.ErrorInfo { reason, domain: \"sluis\" }`
and, where fields are at fault, `google.rpc.BadRequest` with their names; where it helps to wait, `google.rpc.RetryInfo` says how
long. Reasons are stable: programs match on them, never
on messages. Messages are fixed and never depend on the data. Every answer carries its request id in the metadata
`x-request-id`; the custodian's log knows more under that id.

A bad row is rejected by itself, in `BatchResult.rejections`, and never ends the batch or the stream.

The same reasons are the label `code` of the metric `sluis_requests_total` and the `reason` of audit entries. Requests
that never reach Sluis' own code are answered by the gRPC layer without `ErrorInfo` (`UNIMPLEMENTED` for an unknown method).
";
}
