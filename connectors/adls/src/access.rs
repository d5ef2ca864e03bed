//! What the keys of every class say beyond the class's own: a credential of Entra ID, the cloud, the way of requests, new containers.

use azure_core::http::Url;
use landfall_api::{Faults, Key, Properties, Reached, Reaches, Width, config};
use landfall_lake::storage::StorageError;

use crate::connection_string::ConnectionString;
use crate::credential::Credential;
use crate::endpoint::{Account, container_name, is_one_lake};
use crate::entra::keys::{CREDENTIAL, storage_suffix};
use crate::entra::{self, Entra};
use crate::http::Net;
use crate::storage::AzureStorage;

config! {
    /// How an account is reached.
    struct AccountKeys {
        /// What the hosts of storage end with, for an account that is given by its name: `core.windows.net`, or what
        /// `landfall.azure.cloud` has instead.
        suffix: Option<String> = "landfall.azure.endpoint.suffix" { importance: Low, group: "Azure", width: Width::Medium, display: "Endpoint suffix", valid: By(suffix), reaches: Reaches::By(suffix_reached) };
        /// Whether a container that is missing is made. If not, the task fails that needs it.
        create: bool = "landfall.container.create" { default: Some("false"), importance: Low, group: "Azure", width: Width::Short, display: "Create container" };
        /// The container that the commit pointers of the landed files are kept in, in the same account: 3 to 63 lower-case letters,
        /// digits and single hyphens. That of the files if it is not given. It must be another one where blobs cannot be overwritten
        /// (immutability policies), and better is where every version of a blob is kept (versioning, soft delete). A directory keeps
        /// them itself.
        state: Option<String> = "landfall.state.container" { importance: Low, group: "Azure", width: Width::Medium, display: "Container of commit pointers", valid: By(container_name) };
    }
}

/// The keys.
pub(crate) fn keys() -> impl Iterator<Item = Key> {
    AccountKeys::KEYS.iter().chain(entra::KEYS).copied()
}

/// What the keys of every class say.
#[derive(Debug)]
pub(crate) struct Access {
    /// A credential of Entra ID, if `landfall.azure.credential` is given.
    pub(crate) entra: Option<Entra>,
    /// The way that requests take.
    pub(crate) net: Net,
    /// What the hosts of storage end with.
    pub(crate) suffix: String,
    /// Whether missing containers are made.
    pub(crate) create: bool,
    /// The container of the commit pointers.
    pub(crate) state: Option<String>,
}

impl Access {
    /// None after a fault.
    pub(crate) fn read(given: &Properties, faults: &mut Faults) -> Option<Self> {
        let keys = AccountKeys::parse(given, faults);
        let (entra, net) = match Entra::is_given(given) {
            // It reads the way of requests itself.
            true => {
                let entra = Entra::read(given, faults)?;
                (Some(entra), Net::read(given, faults)?)
            }
            false => (None, Net::read(given, faults)?),
        };
        let keys = keys?;
        let suffix = keys.suffix.unwrap_or_else(|| storage_suffix(given).to_owned());
        Some(Self { entra, net, suffix, create: keys.create, state: keys.state })
    }

    /// The credential of Entra ID, and a fault if one of `others` is given too: keys, each with whether it is.
    pub(crate) fn credential(&self, others: &[(&str, bool)], faults: &mut Faults) -> Option<Credential> {
        let entra = self.entra.clone()?;
        for (key, _) in others.iter().filter(|(_, given)| *given) {
            faults.push(CREDENTIAL, format!("{CREDENTIAL} and {key} are two credentials: give one of them"));
        }
        Some(Credential::Token(entra))
    }

    /// The account that is called `name`.
    pub(crate) fn named(&self, name: &str) -> Result<Account, String> {
        Account::named(name, &self.suffix)
    }

    /// The account in a connection string, and what lets us in: what is in it, or the credential of Entra ID if nothing is.
    pub(crate) fn connection_string(&self, text: &str) -> Result<(Account, Credential), String> {
        let (endpoint, credential) = ConnectionString::parts(text)?;
        let credential = match (credential, &self.entra) {
            (Some(_), Some(_)) => return Err(format!("it has a key or a signature beside {CREDENTIAL}: give one of them")),
            (Some(credential), None) => credential,
            (None, Some(entra)) => Credential::Token(entra.clone()),
            (None, None) => return Err("the connection string has neither AccountKey nor SharedAccessSignature".into()),
        };
        Ok((Account::from_url(endpoint)?, credential))
    }

    /// The store of the container at `url`.
    pub(crate) fn open(&self, url: &Url, credential: &Credential) -> Result<AzureStorage, StorageError> {
        let storage = AzureStorage::through(url.clone(), credential.clone(), &self.net)?;
        Ok(if self.create { storage.creating() } else { storage })
    }
}

/// Refuses what the place does not take: tokens in the clear, account keys in OneLake, new workspaces.
pub(crate) fn check(url: &Url, credential: &Credential, access: &Access, faults: &mut Faults) {
    if matches!(credential, Credential::Token(_)) && url.scheme() != "https" {
        faults.push("store.url", "tokens of Entra ID need a store.url of https");
    }
    if is_one_lake(url) {
        if matches!(credential, Credential::Key(_)) {
            faults.push(CREDENTIAL, format!("OneLake has no account keys: give {CREDENTIAL}"));
        }
        for (key, given) in [("landfall.container.create", access.create), ("landfall.state.container", access.state.is_some())] {
            if given {
                faults.push(key, format!("{key} cannot be given for OneLake, whose containers are workspaces"));
            }
        }
    }
}

fn suffix(text: &str) -> Result<(), String> {
    let text = text.trim();
    let is_host = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') && text.contains('.');
    match is_host && !text.starts_with('.') && !text.contains("..") {
        true => Ok(()),
        false => Err("it is the end of a host's name, as core.windows.net".into()),
    }
}

fn suffix_reached(suffix: &str, _: &Properties) -> Vec<Reached> {
    vec![Reached::Host(format!("https://account.blob.{}", suffix.trim()))]
}
