//! The credentials, each as a way to ask for one token, and the chain of them.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientMethodOptions, ClientOptions, ExponentialRetryOptions, HttpClient, RetryOptions, Transport, Url};
use azure_core::time::Duration;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId,
};
use landfall_api::Password;

use super::error::EntraError;
use super::{Token, certificate, imds};
use crate::http::{Net, client, innermost};

/// How long Entra ID is asked again that is overloaded or cannot be reached, before one who waits is told.
const PATIENCE: Duration = Duration::seconds(30);

/// How tokens are got, where, and through what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) login: Login,
    /// Where Entra ID is: `https://<host>`.
    pub(super) authority: String,
    /// Where the instance metadata service is.
    pub(super) imds: String,
    /// Whether App Service gives managed identities their tokens.
    pub(super) app_service: bool,
    pub(super) net: Net,
}

/// A credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Login {
    Secret { tenant: String, client: String, secret: Password },
    Certificate { tenant: String, client: String, file: PathBuf, password: Option<Password> },
    Workload { tenant: String, client: String, file: PathBuf },
    Managed(Identity),
    Cli { tenant: Option<String> },
    Chain(Chain),
}

/// A managed identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The machine's own.
    System,
    /// The one with this client id.
    Client(String),
    /// The one with this resource id.
    Resource(String),
}

/// Credentials, of which the first that there is counts: from the first token on that one alone.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    links: Vec<Link>,
    chosen: Arc<OnceLock<usize>>,
}

/// A credential by its name, or why there is none.
type Link = (&'static str, Result<Login, String>);

impl Chain {
    pub(super) fn new(links: Vec<Link>) -> Self {
        Self { links, chosen: Arc::default() }
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.links == other.links
    }
}

impl Eq for Chain {}

impl Login {
    /// Which credential it is, of which application and tenant.
    fn describe(&self) -> String {
        match self {
            Self::Secret { tenant, client, .. } => {
                format!("the client secret of the application {client:?} in the tenant {tenant:?}")
            }
            Self::Certificate { tenant, client, .. } => {
                format!("the certificate of the application {client:?} in the tenant {tenant:?}")
            }
            Self::Workload { tenant, client, .. } => {
                format!("the workload identity of the application {client:?} in the tenant {tenant:?}")
            }
            Self::Managed(Identity::System) => "the managed identity of this machine".to_owned(),
            Self::Managed(Identity::Client(id)) => format!("the managed identity with the client id {id:?}"),
            Self::Managed(Identity::Resource(id)) => format!("the managed identity with the resource id {id:?}"),
            Self::Cli { tenant: None } => "the user of the Azure CLI".to_owned(),
            Self::Cli { tenant: Some(tenant) } => format!("the user of the Azure CLI in the tenant {tenant:?}"),
            Self::Chain(chain) => match chain.chosen.get().and_then(|chosen| chain.links[*chosen].1.as_ref().ok()) {
                Some(login) => format!("{} (by default)", login.describe()),
                None => "the default credentials".to_owned(),
            },
        }
    }
}

impl Way {
    pub(super) fn describe(&self) -> String {
        self.login.describe()
    }

    /// Asks for a token for `scope`, again for a while if the answer is that one has to wait.
    pub(super) async fn token(&self, scope: &str) -> Result<Token, EntraError> {
        match &self.login {
            Login::Chain(chain) => self.first(chain, scope).await,
            login => self.by(login, scope).await,
        }
    }

    async fn first(&self, chain: &Chain, scope: &str) -> Result<Token, EntraError> {
        if let Some(Ok(login)) = chain.chosen.get().map(|chosen| &chain.links[*chosen].1) {
            return self.by(login, scope).await;
        }
        let mut missing = Vec::new();
        for (index, (name, login)) in chain.links.iter().enumerate() {
            let login = match login {
                Ok(login) => login,
                Err(why) => {
                    missing.push(format!("{name}: {why}"));
                    continue;
                }
            };
            if matches!(login, Login::Managed(_))
                && !self.app_service
                && let Some(why) = imds::absent(&self.imds).await
            {
                missing.push(format!("{name}: {why}"));
                continue;
            }
            match self.by(login, scope).await {
                Ok(token) => {
                    let _ = chain.chosen.set(index);
                    return Ok(token);
                }
                // The last one is there or not, and its error says so.
                Err(error) if matches!(login, Login::Cli { .. }) => missing.push(format!("{name}: {}", error.why())),
                // A credential that is there and is refused is to be put right, and not passed over.
                Err(error) => return Err(error),
            }
        }
        Err(EntraError::new("the default credentials", missing.join("; "), false))
    }

    /// By a credential that is no chain. It is made anew each time, because the library's own keep tokens until shortly before their end.
    async fn by(&self, login: &Login, scope: &str) -> Result<Token, EntraError> {
        let who = login.describe();
        let unusable = |why: String| EntraError::new(&who, why, false);
        let (credential, at): (azure_core::Result<Arc<dyn TokenCredential>>, &str) = match login {
            Login::Secret { tenant, client, secret } => {
                let options = ClientSecretCredentialOptions { client_options: self.options().map_err(unusable)? };
                let secret = Secret::new(secret.reveal().to_owned());
                let made = ClientSecretCredential::new(tenant, client.clone(), secret, Some(options));
                (made.map(|made| made as _), &self.authority)
            }
            Login::Certificate { tenant, client, file, password } => {
                let audience = format!("{}/{tenant}/oauth2/v2.0/token", self.authority);
                let assertion = certificate::assertion(file, password.as_ref(), client, &audience).map_err(unusable)?;
                (Ok(self.asserted(tenant, client, assertion).map_err(unusable)?), &self.authority)
            }
            Login::Workload { tenant, client, file } => {
                let token = std::fs::read_to_string(file).map_err(|e| {
                    // Kubernetes replaces the file while it runs.
                    EntraError::new(&who, format!("the token file {} cannot be read: {e}", file.display()), true)
                })?;
                (Ok(self.asserted(tenant, client, token.trim().into()).map_err(unusable)?), &self.authority)
            }
            Login::Managed(identity) => {
                let user_assigned_id = match identity {
                    Identity::System => None,
                    Identity::Client(id) => Some(UserAssignedId::ClientId(id.clone())),
                    Identity::Resource(id) => Some(UserAssignedId::ResourceId(id.clone())),
                };
                let client_options =
                    ClientOptions { transport: Some(self.beside_proxies().map_err(unusable)?), ..self.retrying() };
                let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
                let at = if self.app_service { "IDENTITY_ENDPOINT" } else { &self.imds };
                (ManagedIdentityCredential::new(Some(options)).map(|made| made as _), at)
            }
            Login::Cli { tenant } => {
                let options = AzureCliCredentialOptions { tenant_id: tenant.clone(), ..Default::default() };
                let made = AzureCliCredential::new(Some(options)).map_err(|e| unusable(innermost(&e)))?;
                let refused = |e: azure_core::Error| {
                    EntraError::new(&who, format!("az account get-access-token failed: {}", innermost(&e)), false)
                };
                let token = made.get_token(&[scope], None).await.map_err(refused)?;
                return Ok(Token { secret: token.token.secret().into(), expires: token.expires_on.into() });
            }
            Login::Chain(_) => return Err(unusable("chains have no chains in them".into())),
        };
        let credential = credential.map_err(|e| unusable(innermost(&e)))?;
        match credential.get_token(&[scope], None).await {
            Ok(token) => Ok(Token { secret: token.token.secret().into(), expires: token.expires_on.into() }),
            Err(e) => Err(EntraError::of(&who, at, &e)),
        }
    }

    fn asserted(&self, tenant: &str, client: &str, assertion: Password) -> Result<Arc<dyn TokenCredential>, String> {
        let options = ClientAssertionCredentialOptions { client_options: self.options()? };
        let made = ClientAssertionCredential::new(tenant.to_owned(), client.to_owned(), Assertion(assertion), Some(options));
        made.map(|made| made as _).map_err(|e| innermost(&e))
    }

    /// How Entra ID is asked.
    fn options(&self) -> Result<ClientOptions, String> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority);
        let cloud = Some(Arc::new(CloudConfiguration::from(cloud)));
        Ok(ClientOptions { cloud, transport: Some(Transport::new(Arc::new(client(&self.net)?))), ..self.retrying() })
    }

    fn retrying(&self) -> ClientOptions {
        let retry = ExponentialRetryOptions { max_total_elapsed: PATIENCE, ..Default::default() };
        ClientOptions { retry: RetryOptions::exponential(retry), ..Default::default() }
    }

    /// How the instance metadata service is asked, which no proxy can reach.
    fn beside_proxies(&self) -> Result<Transport, String> {
        let direct = Net { proxy: Some(crate::http::Proxy::none()), ca_file: self.net.ca_file.clone() };
        let client: Arc<dyn HttpClient> = Arc::new(client(&direct)?);
        let host =
            Url::parse(&self.imds).map_err(|e| format!("AZURE_POD_IDENTITY_AUTHORITY_HOST={} is not a URL: {e}", self.imds))?;
        Ok(Transport::new(Arc::new(imds::Redirect { client, host })))
    }
}

/// An assertion that was made for one request.
#[derive(Debug)]
struct Assertion(Password);

#[async_trait::async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.reveal().to_owned())
    }
}
