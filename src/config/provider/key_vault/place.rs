//! Which hosts are vaults: those of Azure's clouds and those that the operator lists. A token goes to no other.

/// What the hosts of vaults end with, and with which resource's tokens they are asked.
const CLOUDS: [(&str, &str); 4] = [
    ("public", "vault.azure.net"),
    ("usgovernment", "vault.usgovcloudapi.net"),
    ("china", "vault.azure.cn"),
    ("germany", "vault.microsoftazure.de"),
];

/// A vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vault {
    /// Its host, with the port if that is not 443.
    pub(super) host: String,
    /// `https://<host>`.
    pub(super) url: String,
    /// What tokens for it are for.
    pub(super) scope: String,
}

/// The vaults that may be asked.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// What the name of a vault is completed with.
    suffix: &'static str,
    /// Hosts; all vaults of Azure's clouds if there are none.
    allowed: Vec<String>,
}

impl Places {
    /// Those of a list of names and hosts, names being those of the cloud called `cloud`.
    pub(super) fn new(cloud: Option<&String>, allowed: &[String]) -> Self {
        let cloud = cloud.map_or("public", |cloud| cloud.trim());
        let suffix = CLOUDS.iter().find(|(name, _)| *name == cloud).map_or(CLOUDS[0].1, |(_, suffix)| suffix);
        let allowed = allowed.iter().filter(|name| !name.is_empty()).map(|name| completed(name, suffix)).collect();
        Self { suffix, allowed }
    }

    /// The vault that a variable names: `my-vault`, or `my-vault.vault.azure.net`, with or without `https://`.
    pub(super) fn vault(&self, named: &str) -> Result<Vault, String> {
        let name = named.trim();
        let name = name.strip_prefix("https://").unwrap_or(name).trim_end_matches('/');
        if name.is_empty() {
            return Err("no vault is named, as in ${azurekv:my-vault:my-secret}".into());
        }
        let host = completed(name, self.suffix);
        let labels = host.split('.').all(|l| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        let of_cloud = suffix(&host).is_some_and(|suffix| !host[..host.len() - suffix.len() - 1].contains('.'));
        if !labels || !(of_cloud || self.allowed.contains(&host)) {
            return Err(format!(
                "{named} is no vault of Azure's, and no token is sent there; allowed.vaults of the provider may name it"
            ));
        }
        if !self.allowed.is_empty() && !self.allowed.contains(&host) {
            return Err(format!("allowed.vaults of the provider does not name the vault {host}"));
        }
        Ok(self.at(host))
    }

    /// The vault at a host that the operator has given.
    pub(super) fn at(&self, host: String) -> Vault {
        let resource = suffix(&host).unwrap_or(self.suffix);
        Vault { url: format!("https://{host}"), scope: format!("https://{resource}/.default"), host }
    }
}

/// The host of a vault that is given by its name or host.
fn completed(name: &str, suffix: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    if name.contains('.') { name } else { format!("{name}.{suffix}") }
}

/// What a host of Azure's vaults ends with, behind a point.
fn suffix(host: &str) -> Option<&'static str> {
    let below = |suffix: &&str| host.strip_suffix(*suffix).is_some_and(|name| name.len() > 1 && name.ends_with('.'));
    CLOUDS.iter().map(|(_, suffix)| *suffix).find(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_goes_to_another_host() {
        let vault = |cloud: &str, allowed: &[&str], named: &str| {
            let allowed: Vec<_> = allowed.iter().map(|host| (*host).to_owned()).collect();
            Places::new(Some(&cloud.to_owned()), &allowed).vault(named).map(|vault| (vault.url, vault.scope))
        };
        for (cloud, allowed, named, expected) in [
            ("public", &[][..], "v", Some(("https://v.vault.azure.net", "https://vault.azure.net/.default"))),
            (
                "public",
                &[],
                "My-Vault.vault.azure.net",
                Some(("https://my-vault.vault.azure.net", "https://vault.azure.net/.default")),
            ),
            (
                "public",
                &[],
                "https://v.vault.azure.net/",
                Some(("https://v.vault.azure.net", "https://vault.azure.net/.default")),
            ),
            ("china", &[], "v", Some(("https://v.vault.azure.cn", "https://vault.azure.cn/.default"))),
            (
                "public",
                &[],
                "v.vault.usgovcloudapi.net",
                Some(("https://v.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net/.default")),
            ),
            ("public", &[], "evil.example.com", None),
            ("public", &[], "evil.example.com#.vault.azure.net", None),
            ("public", &[], "evil.example.com/.vault.azure.net", None),
            ("public", &[], "user@evil.vault.azure.net", None),
            ("public", &[], "evilvault.azure.net", None),
            ("public", &[], ".vault.azure.net", None),
            ("public", &[], "vault.azure.net", None),
            ("public", &[], "a.b.vault.azure.net", None),
            ("public", &[], "v.vault.azure.net:8443", None),
            ("public", &[], "v.vault.azure.net.", None),
            ("public", &[], "", None),
            ("public", &["mine"], "mine", Some(("https://mine.vault.azure.net", "https://vault.azure.net/.default"))),
            ("public", &["mine"], "yours", None),
            (
                "public",
                &["kv.internal.example"],
                "kv.internal.example",
                Some(("https://kv.internal.example", "https://vault.azure.net/.default")),
            ),
        ] {
            let found = vault(cloud, allowed, named);
            let expected = expected.map(|(url, scope)| (url.to_owned(), scope.to_owned()));
            assert_eq!(found.clone().ok(), expected, "{named}: {found:?}");
        }
        let error = vault("public", &["mine"], "yours").expect_err("refused");
        assert_eq!(error, "allowed.vaults of the provider does not name the vault yours.vault.azure.net");
    }
}
