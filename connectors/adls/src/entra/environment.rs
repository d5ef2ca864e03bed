//! What the Azure SDKs read from the environment. This is the only place that does.

use std::path::PathBuf;

use landfall_api::Password;

/// The variables, those that are not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    /// `AZURE_TENANT_ID`.
    pub(super) tenant: Option<String>,
    /// `AZURE_CLIENT_ID`.
    pub(super) client: Option<String>,
    /// `AZURE_CLIENT_SECRET`.
    pub(super) secret: Option<Password>,
    /// `AZURE_CLIENT_CERTIFICATE_PATH`.
    pub(super) certificate: Option<PathBuf>,
    /// `AZURE_CLIENT_CERTIFICATE_PASSWORD`.
    pub(super) certificate_password: Option<Password>,
    /// `AZURE_FEDERATED_TOKEN_FILE`, which AKS sets.
    pub(super) token_file: Option<PathBuf>,
    /// `AZURE_AUTHORITY_HOST`.
    pub(super) authority: Option<String>,
    /// `AZURE_POD_IDENTITY_AUTHORITY_HOST`: where the instance metadata service is, if not at its well-known address.
    pub(super) imds: Option<String>,
    /// Whether App Service or Container Apps give tokens, by `IDENTITY_ENDPOINT`.
    pub(super) app_service: bool,
}

impl Environment {
    /// That of this process.
    pub(super) fn of_process() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        // A secret may begin or end with blanks.
        let secret = |name: &str| variable(name).filter(|value| !value.is_empty()).map(Password::from);
        Self {
            tenant: text("AZURE_TENANT_ID"),
            client: text("AZURE_CLIENT_ID"),
            secret: secret("AZURE_CLIENT_SECRET"),
            certificate: text("AZURE_CLIENT_CERTIFICATE_PATH").map(PathBuf::from),
            certificate_password: secret("AZURE_CLIENT_CERTIFICATE_PASSWORD"),
            token_file: text("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from),
            authority: text("AZURE_AUTHORITY_HOST"),
            imds: text("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
            app_service: text("IDENTITY_ENDPOINT").is_some(),
        }
    }
}
