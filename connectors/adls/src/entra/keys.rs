//! The keys `landfall.azure.*` that say which credential of Entra ID, in which cloud, and which way requests take.

use std::path::PathBuf;

use azure_core::http::Url;
use landfall_api::{Faults, Key, Password, Properties, Width, config};

use super::environment::Environment;
use super::imds;
use super::way::{Chain, Identity, Login, Way};
use crate::http::{Net, Proxy};

/// The key without which there is no credential of Entra ID.
pub(crate) const CREDENTIAL: &str = "landfall.azure.credential";
const TENANT: &str = "landfall.azure.tenant.id";
const CLIENT: &str = "landfall.azure.client.id";
const SECRET: &str = "landfall.azure.client.secret";
const CERTIFICATE: &str = "landfall.azure.client.certificate";
const CERTIFICATE_PASSWORD: &str = "landfall.azure.client.certificate.password";
const TOKEN_FILE: &str = "landfall.azure.federated.token.file";
const RESOURCE: &str = "landfall.azure.resource.id";
const AUTHORITY: &str = "landfall.azure.authority";
const PROXY: &str = "landfall.azure.proxy";
const PROXY_USER: &str = "landfall.azure.proxy.user";

const CREDENTIALS: &[&str] =
    &["default", "environment", "client-secret", "client-certificate", "workload-identity", "managed-identity", "azure-cli"];

config! {
    /// Which credential.
    struct CredentialKeys {
        /// The credential of Entra ID that tokens are got by: `client-secret` or `client-certificate` of an application,
        /// `workload-identity` of a pod (AKS), `managed-identity` of the machine or the container app, `azure-cli` for the user that is
        /// logged in to `az`, `environment` for the application that the Azure SDKs' environment variables name, or `default`: the first
        /// that there is of environment, workload identity, managed identity and Azure CLI.
        credential: Option<String> = "landfall.azure.credential" { importance: High, group: "Azure", width: Width::Medium, display: "Entra credential", valid: OneOf(CREDENTIALS), recommended: CREDENTIALS };
        /// The tenant (directory) of the application: its id or one of its domains. `AZURE_TENANT_ID` if it is not given, for
        /// `workload-identity`.
        tenant: Option<String> = "landfall.azure.tenant.id" { importance: High, group: "Azure", width: Width::Medium, display: "Tenant ID", valid: By(tenant) };
        /// The application (client) id; for `managed-identity` that of a user-assigned identity. `AZURE_CLIENT_ID` if it is not given, for
        /// `workload-identity` and `default`.
        client: Option<String> = "landfall.azure.client.id" { importance: High, group: "Azure", width: Width::Medium, display: "Client ID", valid: NonEmpty };
        /// The value of a secret of the application, for `client-secret`.
        secret: Option<Password> = "landfall.azure.client.secret" { importance: High, group: "Azure", width: Width::Medium, display: "Client secret", valid: NonEmpty };
        /// The file of a certificate of the application with its private RSA key, for `client-certificate`: PEM, or PKCS#12 (PFX). It is
        /// read again for each token, so that it can be replaced.
        certificate: Option<String> = "landfall.azure.client.certificate" { importance: Medium, group: "Azure", width: Width::Long, display: "Client certificate", valid: NonEmpty, reaches: Files };
        /// The password of a PKCS#12 file.
        certificate_password: Option<Password> = "landfall.azure.client.certificate.password" { importance: Medium, group: "Azure", width: Width::Medium, display: "Certificate password" };
        /// The file of the token that the pod's service account has, for `workload-identity`. `AZURE_FEDERATED_TOKEN_FILE` if it is not
        /// given, which AKS sets.
        token_file: Option<String> = "landfall.azure.federated.token.file" { importance: Low, group: "Azure", width: Width::Long, display: "Federated token file", valid: NonEmpty, reaches: Files };
        /// The resource id of a user-assigned identity, for `managed-identity`, instead of its client id:
        /// `/subscriptions/…/resourcegroups/…/providers/Microsoft.ManagedIdentity/userAssignedIdentities/…`.
        resource: Option<String> = "landfall.azure.resource.id" { importance: Low, group: "Azure", width: Width::Long, display: "Identity's resource ID", valid: NonEmpty };
    }
}

config! {
    /// Which cloud, and which way.
    struct CloudKeys {
        /// The cloud, by which Entra ID and accounts are found that are given by name: public, usgovernment or china.
        cloud: String = "landfall.azure.cloud" { default: Some("public"), importance: Low, group: "Azure", width: Width::Short, display: "Cloud", valid: OneOf(&["public", "usgovernment", "china"]), recommended: &["public", "usgovernment", "china"] };
        /// Where Entra ID is, if not where `landfall.azure.cloud` has it: `https://<host>`. `AZURE_AUTHORITY_HOST` if neither is given.
        authority: Option<String> = "landfall.azure.authority" { importance: Low, group: "Azure", width: Width::Medium, display: "Authority", valid: By(authority), reaches: Hosts };
        /// The HTTP proxy that requests to storage and to Entra ID go through: `http://<host>:<port>`. What `HTTPS_PROXY` in the worker's
        /// environment names if it is not given. The instance metadata service is never asked through a proxy.
        proxy: Option<String> = "landfall.azure.proxy" { importance: Low, group: "Azure", width: Width::Long, display: "Proxy", valid: NonEmpty, reaches: Hosts };
        /// The user that the proxy knows.
        proxy_user: Option<String> = "landfall.azure.proxy.user" { importance: Low, group: "Azure", width: Width::Medium, display: "Proxy user", valid: NonEmpty };
        /// The user's password.
        proxy_password: Option<Password> = "landfall.azure.proxy.password" { importance: Low, group: "Azure", width: Width::Medium, display: "Proxy password" };
        /// Hosts that are reached without the proxy, with commas between them: names, which mean those below them too, addresses, and
        /// ranges of addresses. What `NO_PROXY` names if no proxy is given here.
        no_proxy: Vec<String> = "landfall.azure.no.proxy" { default: Some(""), importance: Low, group: "Azure", width: Width::Long, display: "No proxy for" };
        /// A file of certificates (PEM) of authorities that are trusted by requests to storage and to Entra ID, beside those that this
        /// machine trusts.
        ca_file: Option<String> = "landfall.azure.ca.file" { importance: Low, group: "Azure", width: Width::Long, display: "CA file", valid: NonEmpty, reaches: Files };
    }
}

/// The keys of a credential of Entra ID, of the cloud and of the way that requests take.
pub const KEYS: &[Key] = {
    const COUNT: usize = CredentialKeys::KEYS.len() + CloudKeys::KEYS.len();
    const ALL: [Key; COUNT] = {
        let mut all = [Key::EMPTY; COUNT];
        let mut i = 0;
        while i < COUNT {
            let first = CredentialKeys::KEYS.len();
            all[i] = if i < first { CredentialKeys::KEYS[i] } else { CloudKeys::KEYS[i - first] };
            i += 1;
        }
        all
    };
    &ALL
};

/// Whether a key of a credential is given.
pub(super) fn is_given(given: &Properties) -> bool {
    CredentialKeys::KEYS.iter().any(|key| given.contains_key(key.name))
}

/// How tokens are got, of this process's environment. None after a fault.
pub(super) fn read(given: &Properties, faults: &mut Faults) -> Option<Way> {
    read_in(&Environment::of_process(), given, faults)
}

pub(super) fn read_in(environment: &Environment, given: &Properties, faults: &mut Faults) -> Option<Way> {
    let (keys, cloud) = (CredentialKeys::parse(given, faults), CloudKeys::parse(given, faults));
    let (keys, cloud) = (keys?, cloud?);
    let net = net_of(&cloud, faults)?;
    let Some(credential) = keys.credential.as_deref() else {
        faults.push(CREDENTIAL, format!("Missing required configuration \"{CREDENTIAL}\" which has no default value."));
        return None;
    };
    let before = faults.0.len();
    for key in CredentialKeys::KEYS.iter().skip(1).filter(|key| given.contains_key(key.name)) {
        if !meaningful(credential).contains(&key.name) {
            faults.push(key.name, format!("{} means nothing beside {CREDENTIAL}={credential}", key.name));
        }
    }
    let authority = cloud.authority.clone().or_else(|| {
        let named = given.contains_key("landfall.azure.cloud");
        if named { None } else { environment.authority.clone() }
    });
    let authority = authority.unwrap_or_else(|| authority_of(&cloud.cloud).to_owned());
    let authority = origin(&authority).map_err(|why| faults.push(AUTHORITY, why)).ok()?;
    let login = match credential {
        "client-secret" => {
            let (tenant, client) = (required(&keys.tenant, TENANT, faults), required(&keys.client, CLIENT, faults));
            let secret = required(&keys.secret, SECRET, faults);
            Login::Secret { tenant: tenant?, client: client?, secret: secret? }
        }
        "client-certificate" => {
            let (tenant, client) = (required(&keys.tenant, TENANT, faults), required(&keys.client, CLIENT, faults));
            let file = required(&keys.certificate, CERTIFICATE, faults).map(PathBuf::from);
            Login::Certificate { tenant: tenant?, client: client?, file: file?, password: keys.certificate_password.clone() }
        }
        "workload-identity" => {
            workload(&keys, environment).map_err(|why| faults.push(CREDENTIAL, refused(credential, &why))).ok()?
        }
        "managed-identity" => Login::Managed(identity(&keys, faults)?),
        "azure-cli" => Login::Cli { tenant: keys.tenant.clone() },
        "environment" => of_environment(environment).map_err(|why| faults.push(CREDENTIAL, refused(credential, &why))).ok()?,
        _ => {
            let client = keys.client.clone().or_else(|| environment.client.clone());
            let managed =
                keys.resource.clone().map_or_else(|| client.map_or(Identity::System, Identity::Client), Identity::Resource);
            Login::Chain(Chain::new(vec![
                ("environment", of_environment(environment)),
                ("workload identity", workload(&keys, environment)),
                ("managed identity", Ok(Login::Managed(managed))),
                ("Azure CLI", Ok(Login::Cli { tenant: keys.tenant.clone() })),
            ]))
        }
    };
    let imds = environment.imds.clone().unwrap_or_else(imds::default_host);
    (faults.0.len() == before).then_some(Way { login, authority, imds, app_service: environment.app_service, net })
}

/// The keys that say more of `credential`.
fn meaningful(credential: &str) -> &'static [&'static str] {
    match credential {
        "client-secret" => &[TENANT, CLIENT, SECRET],
        "client-certificate" => &[TENANT, CLIENT, CERTIFICATE, CERTIFICATE_PASSWORD],
        "workload-identity" => &[TENANT, CLIENT, TOKEN_FILE],
        "managed-identity" => &[CLIENT, RESOURCE],
        "azure-cli" => &[TENANT],
        "environment" => &[],
        _ => &[TENANT, CLIENT, RESOURCE, TOKEN_FILE],
    }
}

fn refused(credential: &str, why: &str) -> String {
    format!("{CREDENTIAL}={credential} cannot be used: {why}")
}

fn required<T: Clone>(value: &Option<T>, key: &str, faults: &mut Faults) -> Option<T> {
    if value.is_none() {
        faults.push(key, format!("Missing required configuration \"{key}\" which has no default value."));
    }
    value.clone()
}

/// The application that the environment names, or what is missing.
fn of_environment(environment: &Environment) -> Result<Login, String> {
    let missing = |name: &str| format!("{name} is not in the worker's environment");
    let tenant = environment.tenant.clone().ok_or_else(|| missing("AZURE_TENANT_ID"))?;
    let client = environment.client.clone().ok_or_else(|| missing("AZURE_CLIENT_ID"))?;
    self::tenant(&tenant).map_err(|why| format!("AZURE_TENANT_ID: {why}"))?;
    match (&environment.secret, &environment.certificate) {
        (Some(secret), _) => Ok(Login::Secret { tenant, client, secret: secret.clone() }),
        (None, Some(file)) => {
            let (file, password) = (file.clone(), environment.certificate_password.clone());
            Ok(Login::Certificate { tenant, client, file, password })
        }
        (None, None) => Err(missing("neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH")),
    }
}

/// The application of the pod's service account, or what is missing.
fn workload(keys: &CredentialKeys, environment: &Environment) -> Result<Login, String> {
    let missing = |name: &str, key: &str| format!("neither {key} is given nor is {name} in the worker's environment");
    let tenant = keys.tenant.clone().or_else(|| environment.tenant.clone()).ok_or_else(|| missing("AZURE_TENANT_ID", TENANT))?;
    let client = keys.client.clone().or_else(|| environment.client.clone()).ok_or_else(|| missing("AZURE_CLIENT_ID", CLIENT))?;
    self::tenant(&tenant).map_err(|why| format!("AZURE_TENANT_ID: {why}"))?;
    let file = keys.token_file.as_ref().map(PathBuf::from).or_else(|| environment.token_file.clone());
    let file = file.ok_or_else(|| missing("AZURE_FEDERATED_TOKEN_FILE", TOKEN_FILE))?;
    Ok(Login::Workload { tenant, client, file })
}

fn identity(keys: &CredentialKeys, faults: &mut Faults) -> Option<Identity> {
    match (&keys.client, &keys.resource) {
        (Some(_), Some(_)) => {
            faults.push(RESOURCE, format!("give {CLIENT} or {RESOURCE} of the identity, not both"));
            None
        }
        (Some(client), None) => Some(Identity::Client(client.clone())),
        (None, Some(resource)) => Some(Identity::Resource(resource.clone())),
        (None, None) => Some(Identity::System),
    }
}

/// The way that requests take. None after a fault.
pub(crate) fn net(given: &Properties, faults: &mut Faults) -> Option<Net> {
    net_of(&CloudKeys::parse(given, faults)?, faults)
}

fn net_of(keys: &CloudKeys, faults: &mut Faults) -> Option<Net> {
    if let Some(url) = &keys.proxy {
        proxy(PROXY, url, faults)?;
    }
    let no_proxy = keys.no_proxy.join(",");
    let login = match (&keys.proxy_user, &keys.proxy_password) {
        (Some(user), password) => Some((user.clone(), password.clone().unwrap_or_else(|| Password::from("")))),
        (None, Some(_)) => {
            faults.push(PROXY_USER, "landfall.azure.proxy.password is given without landfall.azure.proxy.user");
            return None;
        }
        (None, None) => None,
    };
    let proxy = match &keys.proxy {
        Some(url) => Some(Proxy { url: url.clone(), login, no_proxy }),
        None if login.is_some() || !no_proxy.is_empty() => {
            let key = if login.is_some() { PROXY_USER } else { "landfall.azure.no.proxy" };
            faults.push(key, format!("{key} means nothing without {PROXY}"));
            return None;
        }
        None => None,
    };
    Some(Net { proxy, ca_file: keys.ca_file.as_ref().map(PathBuf::from) })
}

/// What the hosts of storage end with in the cloud of `given`.
pub(crate) fn storage_suffix(given: &Properties) -> &'static str {
    match given.get("landfall.azure.cloud").map(|cloud| cloud.trim()) {
        Some("usgovernment") => "core.usgovcloudapi.net",
        Some("china") => "core.chinacloudapi.cn",
        _ => "core.windows.net",
    }
}

fn authority_of(cloud: &str) -> &'static str {
    match cloud {
        "usgovernment" => "https://login.microsoftonline.us",
        "china" => "https://login.chinacloudapi.cn",
        _ => "https://login.microsoftonline.com",
    }
}

fn tenant(id: &str) -> Result<(), String> {
    let id = id.trim();
    match !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
        true => Ok(()),
        false => Err("a tenant is its id or one of its domains: letters, digits, hyphens and dots".into()),
    }
}

fn authority(url: &str) -> Result<(), String> {
    origin(url.trim()).map(drop)
}

/// The origin of an authority's URL. SDKs take it without `https://` too.
fn origin(text: &str) -> Result<String, String> {
    let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    match Url::parse(&url) {
        Ok(url) if url.scheme() == "https" && url.path() == "/" && url.username().is_empty() => {
            Ok(url.origin().ascii_serialization())
        }
        _ => Err("an authority is https://<host>, as https://login.microsoftonline.com".into()),
    }
}

/// Checks the URL of a proxy that `key` has, without showing it: there may be a password in it.
pub(crate) fn proxy(key: &str, url: &str, faults: &mut Faults) -> Option<()> {
    let why = match Url::parse(url.trim()) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "user and password have keys of their own",
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => return Some(()),
        _ => "a proxy is http://<host>:<port>",
    };
    faults.push(key, format!("Invalid value for configuration {key}: {why}"));
    None
}
