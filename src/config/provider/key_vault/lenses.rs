//! `io.lenses.connect.secrets.providers.AzureSecretProvider` (2.3 of `secret-provider`): the path is a vault, the key the name of a secret,
//! perhaps with `/` and a version. `${azurekv:my-vault:db-password}`, `${azurekv:my-vault.vault.azure.net:db-password}`.
//!
//! It differs from Java where
//! - a vault may be given by its name alone, and hosts that are no vaults are not asked;
//! - a secret that does not expire is never looked at again, unless `secret.default.ttl` says so, and tasks start again only if its value
//!   is another; Java's worker starts them each time;
//! - a file of a secret is written anew when the secret is another; Java leaves the old one. Nobody but the worker's user may read it;
//! - base64 is that of a text in UTF-8.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_adls::entra;
use landfall_adls::rest::{Patience, Rest};
use landfall_api::config::Password;
use landfall_api::{Faults, Key, Properties, Width, config};

use super::super::{Provider, ProviderClass};
use super::place::{Places, Vault};
use super::{Named, Secret, Vaults, with_default};
use crate::config::{application, joined, millis};

config! {
    /// Its parameters.
    pub struct LensesKeys {
        /// How the worker signs in: `credentials`, by the application that `azure.tenant.id`, `azure.client.id` and `azure.secret.id` name,
        /// or `default`, by `landfall.azure.credential` or the default chain of credentials if that is not given. If this is not given, it
        /// is what the other keys say.
        auth_method: Option<String> = "azure.auth.method" { importance: Medium, group: "Config Providers", width: Width::Short, display: "Authentication", valid: OneOfIgnoreCase(&["credentials", "default"]) };
        /// The application (client) id.
        client_id: Option<String> = "azure.client.id" { importance: High, group: "Config Providers", width: Width::Medium, display: "Client ID" };
        /// The tenant (directory) id.
        tenant_id: Option<String> = "azure.tenant.id" { importance: High, group: "Config Providers", width: Width::Medium, display: "Tenant ID" };
        /// The value of a secret of the application.
        secret_id: Option<Password> = "azure.secret.id" { importance: High, group: "Config Providers", width: Width::Medium, display: "Client Secret" };
        /// The folder that takes secrets whose tag `file-encoding` is `utf8-file` or `base64-file`, each as `<vault>/<secret>`. The value is
        /// then the path of the file.
        file_dir: Option<String> = "file.dir" { importance: Medium, group: "Config Providers", width: Width::Long, display: "Folder of Files", reaches: Written };
        /// Milliseconds after which secrets are read again, while a task runs that they gave values to. If they are other ones, the task is
        /// started again with them, unless its connector has `config.action.reload` none. A secret that expires is read again then in
        /// any case. Default: never.
        default_ttl: Option<i64> = "secret.default.ttl" { group: "Config Providers", width: Width::Medium, display: "Time to Live (ms)", valid: AtLeast(1) };
        /// The vaults that may be asked, by name or host, separated by commas. Default: all of Azure's. A host that is none of Azure's is
        /// asked only if it is one of these. Not in Java.
        allowed_vaults: Vec<String> = "allowed.vaults" { default: Some(""), importance: Medium, group: "Config Providers", width: Width::Long, display: "Allowed Vaults" };
    }
}

static KEYS: [Key; LensesKeys::KEYS.len() + entra::KEYS.len()] = joined(LensesKeys::KEYS, entra::KEYS);

/// The class.
pub(in super::super) const CLASS: ProviderClass =
    ProviderClass { class: "io.lenses.connect.secrets.providers.AzureSecretProvider", keys: &KEYS, build };

fn build(given: &Properties, faults: &mut Faults) -> Option<Box<dyn Provider>> {
    let keys = LensesKeys::parse(given, faults)?;
    let rest = Rest::read(&signed_in(given, &keys, faults)?, Patience::default(), faults)?;
    let places = Places::new(given.get("landfall.azure.cloud"), &keys.allowed_vaults);
    let folder = keys.file_dir.filter(|folder| !folder.is_empty()).map(PathBuf::from);
    Some(Box::new(Lenses { vaults: Vaults::new(rest, keys.default_ttl.map(millis)), places, folder }))
}

/// `given` with the credential that the keys of the class name.
fn signed_in(given: &Properties, keys: &LensesKeys, faults: &mut Faults) -> Option<Properties> {
    let named = [&keys.tenant_id, &keys.client_id, &keys.secret_id.as_ref().map(|secret| secret.reveal().to_owned())];
    let method = keys.auth_method.as_deref().map(str::to_ascii_lowercase);
    let by_default = method.as_deref() == Some("default");
    let is_given = given.contains_key("landfall.azure.credential");
    if by_default || method.is_none() && is_given && named.iter().all(|value| value.is_none()) {
        return Some(with_default(given));
    }
    let missing: Vec<_> = ["azure.tenant.id", "azure.client.id", "azure.secret.id"]
        .into_iter()
        .zip(named)
        .filter(|(_, value)| value.as_ref().is_none_or(String::is_empty))
        .map(|(key, _)| key)
        .collect();
    for key in &missing {
        let instead = "or give azure.auth.method=default or landfall.azure.credential";
        faults.push(*key, format!("Missing required configuration \"{key}\" which has no default value, {instead}"));
    }
    let [tenant, client, secret] = named.map(|value| value.as_deref().unwrap_or_default());
    missing.is_empty().then(|| application(given, tenant, client, secret))
}

#[derive(Debug)]
struct Lenses {
    vaults: Vaults,
    places: Places,
    folder: Option<PathBuf>,
}

impl Provider for Lenses {
    fn get(&self, path: &str, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, String> {
        self.get_for_a_time(path, keys).map(|(values, _)| values)
    }

    fn get_for_a_time(&self, path: &str, keys: &BTreeSet<&str>) -> Result<(BTreeMap<String, String>, Option<Duration>), String> {
        let vault = self.places.vault(path)?;
        let named = keys.iter().map(|key| Named::parse(key)).collect::<Result<Vec<_>, _>>()?;
        let secrets = self.vaults.secrets(&vault, &named)?;
        let mut values = BTreeMap::new();
        for ((key, named), secret) in keys.iter().zip(named).zip(&secrets) {
            values.insert((*key).to_owned(), self.value(&vault, named, secret)?);
        }
        Ok((values, self.vaults.ttl(&secrets)))
    }

    fn ttl(&self) -> Option<Duration> {
        self.vaults.shortest_ttl()
    }
}

impl Lenses {
    /// What a secret gives by its encoding.
    fn value(&self, vault: &Vault, named: Named<'_>, secret: &Secret) -> Result<String, String> {
        let value = secret.value.reveal();
        let encoding: String = secret.encoding.iter().flat_map(|text| text.chars()).filter(char::is_ascii_alphanumeric).collect();
        let decoded = || {
            let wrong = |_| format!("the secret {named} of the vault {} is not base64, as its file-encoding says", vault.host);
            STANDARD.decode(value.trim()).map_err(wrong)
        };
        match encoding.to_ascii_lowercase().as_str() {
            "base64" => String::from_utf8(decoded()?).map_err(|_| {
                format!("the secret {named} of the vault {} is no text: base64-file would keep its bytes", vault.host)
            }),
            "utf8file" => self.file(vault, named, value.as_bytes()),
            "base64file" => self.file(vault, named, &decoded()?),
            _ => Ok(value.to_owned()),
        }
    }

    /// Writes a secret to its file, which nobody else may read; its path.
    fn file(&self, vault: &Vault, named: Named<'_>, bytes: &[u8]) -> Result<String, String> {
        let Some(folder) = &self.folder else {
            return Err(format!("the secret {named} of the vault {} is to be a file, and file.dir is not given", vault.host));
        };
        let folder = folder.join(&vault.host);
        let path = folder.join(named.name.to_ascii_lowercase());
        let written = || -> std::io::Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            if fs::read(&path).is_ok_and(|found| found == bytes) { Ok(()) } else { replace(&path, bytes) }
        };
        written().map_err(|e| format!("the file {} of the secret {named} cannot be written: {e}", path.display()))?;
        Ok(path.display().to_string())
    }
}

/// Puts a file in its place whole.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let _ = fs::remove_file(&beside);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn provider(more: &[(&str, &str)]) -> Result<Lenses, String> {
        let given: Properties = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut faults = Faults::default();
        let keys = LensesKeys::parse(&given, &mut faults);
        let made = keys.and_then(|keys| {
            let rest = Rest::read(&signed_in(&given, &keys, &mut faults)?, Patience::default(), &mut faults)?;
            let folder = keys.file_dir.map(PathBuf::from);
            Some(Lenses { vaults: Vaults::new(rest, None), places: Places::new(None, &keys.allowed_vaults), folder })
        });
        made.ok_or_else(|| faults.to_string())
    }

    fn secret(value: &str, encoding: &str) -> Secret {
        Secret { value: value.into(), expires: None, encoding: Some(encoding.into()) }
    }

    #[test]
    fn the_keys_of_the_class_say_who_signs_in() {
        let who = |more: &[(&str, &str)]| provider(more).map(|provider| provider.vaults.rest.describe());
        let all = [("azure.tenant.id", "t1"), ("azure.client.id", "c1"), ("azure.secret.id", "pssst")];
        let application = who(&all).expect("valid");
        assert!(application.contains("c1") && application.contains("t1") && !application.contains("pssst"), "{application}");
        // What the class names counts before what was said for the whole worker.
        let both = [&all[..], &[("landfall.azure.credential", "managed-identity")]].concat();
        assert_eq!(who(&both).as_ref(), Ok(&application));
        assert_eq!(who(&[&all[..], &[("azure.auth.method", "credentials")]].concat()), Ok(application));
        let managed = who(&[("landfall.azure.credential", "managed-identity")]).expect("valid");
        assert!(managed.contains("managed identity"), "{managed}");
        assert_eq!(who(&[("azure.auth.method", "default"), ("landfall.azure.credential", "managed-identity")]), Ok(managed));
        assert!(who(&[("azure.auth.method", "DEFAULT")]).is_ok());
        let missing = who(&all[..2]).expect_err("missing");
        assert!(missing.contains("\"azure.secret.id\"") && !missing.contains("azure.tenant.id\""), "{missing}");
        assert_eq!(who(&[]).expect_err("missing").lines().count(), 3);
        assert!(who(&[("azure.auth.method", "x")]).is_err());
    }

    #[test]
    fn a_tag_says_how_a_secret_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("secrets");
        let provider = provider(&[("azure.auth.method", "default"), ("file.dir", root.to_str().expect("UTF-8"))]).expect("valid");
        let vault = provider.places.vault("v").expect("a vault");
        let named = Named { name: "Key-Store", version: None };
        let value = |secret: &Secret| provider.value(&vault, named, secret);
        assert_eq!(value(&secret("plain", "utf8")), Ok("plain".into()));
        assert_eq!(value(&secret("cGxhaW4=", "BASE64")), Ok("plain".into()));
        assert_eq!(value(&secret("plain", "else")), Ok("plain".into()));
        let error = value(&secret("pssst?", "base64")).expect_err("no base64");
        assert_eq!(error, "the secret Key-Store of the vault v.vault.azure.net is not base64, as its file-encoding says");
        for (text, encoding, bytes) in
            [("one", "utf8-file", &b"one"[..]), ("AP8=", "base64_file", &[0, 255]), ("two", "UTF8-FILE", b"two")]
        {
            let path = PathBuf::from(value(&secret(text, encoding)).expect("written"));
            assert_eq!(path, root.join("v.vault.azure.net/key-store"));
            assert_eq!(fs::read(&path).expect("a file"), bytes);
            assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        }
        let without = Lenses { folder: None, ..provider };
        assert!(
            without.value(&vault, named, &secret("x", "utf8-file")).expect_err("no folder").contains("file.dir is not given")
        );
    }
}
