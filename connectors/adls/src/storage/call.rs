//! One request to the service: how long it may take, what its failure means, when it was answered.

use std::error::Error as _;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{StatusCode, Url};
use azure_core::time::parse_rfc7231;
use landfall_lake::storage::StorageError;

use crate::credential::Credential;
use crate::entra::EntraError;
use crate::http::innermost;

/// How long the service may take to answer, beyond moving the bytes.
pub(crate) const ANSWER: Duration = Duration::from_secs(60);
/// The slowest transfer that is waited for, in bytes a second.
const SLOWEST: u64 = 256 << 10;

const DATE: HeaderName = HeaderName::from_static("date");

/// How long the transfer of `bytes` may take.
pub(crate) fn transfer(bytes: u64) -> Duration {
    ANSWER.saturating_add(Duration::from_secs(bytes / SLOWEST))
}

/// One call, to say what was tried where.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) what: &'static str,
    pub(crate) url: &'a Url,
    pub(crate) container: &'a str,
    pub(crate) credential: &'a Credential,
}

impl Call<'_> {
    /// What `call` gives within `limit`.
    pub(crate) async fn within<T>(&self, limit: Duration, call: impl Future<Output = T>) -> Result<T, StorageError> {
        tokio::time::timeout(limit, call).await.map_err(|_| {
            let (what, url) = (self.what, without_query(self.url));
            StorageError::Retriable(format!("{what} {url}: no answer within {} seconds", limit.as_secs()))
        })
    }

    /// What went wrong, without the service's own text: that quotes what was signed.
    pub(crate) fn failed(&self, error: &azure_core::Error) -> StorageError {
        let (what, url) = (self.what, without_query(self.url));
        let ErrorKind::HttpResponse { status, .. } = error.kind() else {
            let message = format!("{what} {url}: {}", innermost(error));
            return match (error.kind(), refused_by_entra(error)) {
                (ErrorKind::Connection | ErrorKind::Io, _) => StorageError::Retriable(message),
                (_, Some(refused)) if refused.is_retriable() => StorageError::Retriable(message),
                _ => StorageError::Fatal(message),
            };
        };
        let code = code(error).unwrap_or("no error code");
        let who = match (u16::from(*status), code) {
            (401 | 403, _) | (_, "InvalidAuthenticationInfo") => format!(" (asked by {})", self.credential.describe()),
            _ => String::new(),
        };
        let message = format!("{what} {url}: HTTP {} {code}{}{who}", u16::from(*status), self.hint(code));
        match u16::from(*status) {
            408 | 429 | 500..=599 => StorageError::Retriable(message),
            _ if code == "ContainerBeingDeleted" => StorageError::Retriable(message),
            _ => StorageError::Fatal(message),
        }
    }

    /// What a user can do about it.
    fn hint(&self, code: &str) -> String {
        match code {
            "AuthenticationFailed" => ", the credentials are wrong or expired, or the clock of this machine is".into(),
            "InvalidAuthenticationInfo" => match self.credential {
                Credential::Token(_) => ", the token has expired, or is of another tenant or cloud than the account's".into(),
                Credential::Key(_) | Credential::Sas(_) => ", the credentials are wrong, or of another account".into(),
            },
            "NoAuthenticationInformation" => ", the credentials are missing".into(),
            "AuthorizationPermissionMismatch" | "InsufficientAccountPermissions" => format!(
                ", the credentials do not allow it: Storage Blob Data Contributor on the container {:?} is enough, and counts some minutes \
                 after it was given",
                self.container
            ),
            "AuthorizationFailure" => ", the credentials or the network rules of the account do not allow it".into(),
            "AuthorizationSourceIPMismatch" => ", the shared access signature is not for the address of this machine".into(),
            "AuthorizationProtocolMismatch" => ", the shared access signature is for https".into(),
            "AccountIsDisabled" => ", the account is disabled".into(),
            "AuthorizationResourceTypeMismatch" | "AuthorizationServiceMismatch" => {
                ", the shared access signature is not for it".into()
            }
            "KeyBasedAuthenticationNotPermitted" => {
                ", the account does not take account keys: give landfall.azure.credential".into()
            }
            "ContainerNotFound" => {
                format!(", the container {:?} does not exist: make it, or give landfall.container.create=true", self.container)
            }
            "InvalidBlobOrBlock" => ", blocks of another writer are left under this name and go in a week".into(),
            "LeaseIdMissing" => ", another program holds a lease on it".into(),
            "BlobImmutableDueToPolicy" => {
                ", blobs of this container cannot be overwritten: landfall.state.container names another one for commit pointers"
                    .into()
            }
            _ => String::new(),
        }
    }
}

/// Azure's error code.
pub(crate) fn code(error: &azure_core::Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::HttpResponse { error_code, .. } => error_code.as_deref(),
        _ => None,
    }
}

/// Whether a condition of the request did not hold, so that nothing was changed.
pub(crate) fn condition_failed(error: &azure_core::Error) -> bool {
    match error.http_status() {
        // A lease is no condition of ours: it says nothing of who has written.
        Some(StatusCode::PreconditionFailed) => code(error) != Some("LeaseIdMissing"),
        Some(StatusCode::Conflict) => code(error) == Some("BlobAlreadyExists"),
        _ => false,
    }
}

/// Whether there is no such blob, in a container that there is.
pub(crate) fn not_found(error: &azure_core::Error) -> bool {
    error.http_status() == Some(StatusCode::NotFound) && !matches!(code(error), Some("ContainerNotFound" | "ResourceNotFound"))
}

/// When the service answered by its clock, in milliseconds since the epoch.
pub(crate) fn date(headers: &Headers) -> Option<i64> {
    let date = parse_rfc7231(headers.get_optional_str(&DATE)?).ok()?;
    Some(date.unix_timestamp() * 1000)
}

/// When the service answered with an error.
pub(crate) fn date_of_error(error: &azure_core::Error) -> Option<i64> {
    match error.kind() {
        ErrorKind::HttpResponse { raw_response: Some(answer), .. } => date(answer.headers()),
        _ => None,
    }
}

/// Why there is no token, if that is what is wrong.
fn refused_by_entra(error: &azure_core::Error) -> Option<&EntraError> {
    let mut cause = error.source();
    while let Some(next) = cause {
        if let Some(refused) = next.downcast_ref() {
            return Some(refused);
        }
        cause = next.source();
    }
    None
}

/// What may be shown of a URL: its query may be a signature.
pub(crate) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_named_by_what_the_caller_does() {
        let url = Url::parse("https://acct.blob.core.windows.net/lake/a?sv=1&sig=pssst").expect("a URL");
        let credential = Credential::key("acct", "cHNzc3Q=").expect("base64");
        let call = Call { what: "Put Block", url: &url, container: "lake", credential: &credential };
        let answered = |status: u16, code: &str| {
            let kind = ErrorKind::HttpResponse {
                status: StatusCode::from(status),
                error_code: Some(code.to_owned()),
                raw_response: None,
            };
            call.failed(&azure_core::Error::with_message(kind, "sig=pssst"))
        };
        for (status, code) in [(503, "ServerBusy"), (500, "OperationTimedOut"), (429, "x"), (409, "ContainerBeingDeleted")] {
            assert!(matches!(answered(status, code), StorageError::Retriable(_)), "{status}");
        }
        for (status, code) in [(403, "AuthenticationFailed"), (401, "NoAuthenticationInformation"), (400, "InvalidHeaderValue")] {
            assert!(matches!(answered(status, code), StorageError::Fatal(_)), "{status}");
        }
        assert_eq!(
            answered(404, "ContainerNotFound").to_string(),
            "Put Block https://acct.blob.core.windows.net/lake/a: HTTP 404 ContainerNotFound, the container \"lake\" does not exist: make it, \
             or give landfall.container.create=true"
        );
        assert_eq!(
            answered(403, "AuthorizationPermissionMismatch").to_string(),
            "Put Block https://acct.blob.core.windows.net/lake/a: HTTP 403 AuthorizationPermissionMismatch, the credentials do not allow \
             it: Storage Blob Data Contributor on the container \"lake\" is enough, and counts some minutes after it was given (asked by \
             the key of the account \"acct\")"
        );
        let broken = azure_core::Error::with_message(ErrorKind::Io, "error for https://acct/?sig=pssst");
        assert!(matches!(call.failed(&broken), StorageError::Retriable(m) if !m.contains("pssst")));
    }

    #[test]
    fn a_lease_is_no_condition() {
        for (status, code, expected) in [
            (412, "ConditionNotMet", true),
            (412, "TargetConditionNotMet", true),
            (409, "BlobAlreadyExists", true),
            (412, "LeaseIdMissing", false),
            (409, "BlobImmutableDueToPolicy", false),
            (404, "BlobNotFound", false),
            (503, "ServerBusy", false),
        ] {
            let (status, error_code) = (StatusCode::from(status), Some(code.to_owned()));
            let error = ErrorKind::HttpResponse { status, error_code, raw_response: None };
            assert_eq!(condition_failed(&azure_core::Error::with_message(error, "")), expected, "{code}");
        }
    }

    #[test]
    fn the_services_clock_is_read() {
        let mut headers = Headers::new();
        assert_eq!(date(&headers), None);
        headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(&headers), Some(784_111_777_000));
    }
}
