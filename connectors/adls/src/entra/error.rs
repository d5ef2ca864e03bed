//! Why there is no token: who was refused, Azure's code, and what to do about it.

use std::fmt;

use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;
use serde::Deserialize;

use crate::http::innermost;

/// There is no token. Says which credential of which application and tenant, Azure's code (`AADSTS…`) and what to do; never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraError {
    who: String,
    why: String,
    code: Option<String>,
    retriable: bool,
}

/// What Entra ID and the instance metadata service answer when they refuse.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
    error_codes: Vec<u64>,
}

impl EntraError {
    /// `why` there is no token by `who`, and whether that may pass.
    pub(super) fn new(who: &str, why: impl Into<String>, retriable: bool) -> Self {
        Self { who: who.to_owned(), why: why.into(), code: None, retriable }
    }

    /// What a request of `who` to `authority` came to.
    pub(super) fn of(who: &str, authority: &str, error: &azure_core::Error) -> Self {
        let Some((status, body)) = answer(error) else {
            // Nothing was answered, or nothing that is the service's: a proxy's page, a half of an answer.
            return Self::new(who, format!("{authority} gave no answer: {}", innermost(error)), true);
        };
        let refusal: Refusal = serde_json::from_slice(&body).unwrap_or_default();
        // The description begins with the code, which is in the list of codes only since the second version.
        let described = refusal.error_description.split(':').next().filter(|code| code.starts_with("AADSTS")).map(str::to_owned);
        let code = refusal.error_codes.first().map(|code| format!("AADSTS{code}")).or(described);
        let passing = !status.is_client_error() || matches!(u16::from(status), 404 | 408 | 410 | 429);
        let said = code.clone().or_else(|| Some(refusal.error).filter(|error| !error.is_empty()));
        let said = said.map(|said| format!(" {said}")).unwrap_or_default();
        let hint = hint(code.as_deref().unwrap_or_default(), &refusal.error_description);
        Self {
            who: who.to_owned(),
            why: format!("{authority} answered HTTP {}{said}{hint}", u16::from(status)),
            code,
            retriable: passing,
        }
    }

    /// Why, without who.
    pub(super) fn why(&self) -> &str {
        &self.why
    }

    /// Azure's code, as `AADSTS7000215`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Whether the next try may be given a token, with nothing changed.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.retriable
    }
}

impl fmt::Display for EntraError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no token by {}: {}", self.who, self.why)
    }
}

impl std::error::Error for EntraError {}

/// What was answered at the bottom of `error`.
fn answer(error: &azure_core::Error) -> Option<(StatusCode, Vec<u8>)> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(next) = cause {
        if let Some(ErrorKind::HttpResponse { status, raw_response, .. }) =
            next.downcast_ref::<azure_core::Error>().map(azure_core::Error::kind)
        {
            let body = raw_response.as_ref().map(|answer| answer.body().as_ref().to_vec());
            return Some((*status, body.unwrap_or_default()));
        }
        cause = next.source();
    }
    None
}

/// What a user can do about `code`; of a code that is not known, what Azure says of it.
fn hint(code: &str, description: &str) -> String {
    let known = match code {
        "AADSTS7000215" => "the client secret is wrong: it is the secret's value that counts, not its id",
        "AADSTS7000222" => "the client secret has expired: make a new one",
        "AADSTS700016" => "the tenant has no such application: compare the client id and the tenant id",
        "AADSTS90002" | "AADSTS900023" | "AADSTS900021" => "there is no such tenant: compare the tenant id and the cloud",
        "AADSTS700027" => "the certificate is not one of the application's, or has expired",
        "AADSTS700024" => "the assertion is not of this time: compare the clock of this machine",
        "AADSTS70021" | "AADSTS700211" | "AADSTS700212" | "AADSTS700213" => {
            "the application has no federated credential for this service account: issuer, subject and audience must be those of the token"
        }
        "AADSTS7000112" => "the application is disabled",
        "AADSTS7000229" | "AADSTS7000218" => "the application has no service principal, or needs a secret, in this tenant",
        "AADSTS500011" | "AADSTS500341" => "the tenant does not know what the token is for",
        "AADSTS53003" => "a conditional access policy forbids it",
        _ if description.contains("Identity not found") => "no such identity is assigned to this machine",
        _ => {
            let line = description.lines().next().unwrap_or_default();
            let line = line.split_once(": ").map_or(line, |(_, text)| text);
            let text: String = line.chars().take(200).collect();
            return if text.is_empty() { String::new() } else { format!(", {}", text.trim_end_matches('.')) };
        }
    };
    format!(", {known}")
}
