//! Where files land: what `store.url`, an account name and a container name mean together.

use std::path::PathBuf;

use azure_core::http::Url;
use landfall_api::{Properties, Reached};

use crate::connection_string::EMULATOR_ACCOUNT;
use crate::entra::keys::storage_suffix;

/// What a `store.url` names.
#[derive(Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A local directory, `file:///…`.
    Directory(PathBuf),
    /// An account of the Blob service.
    Account(Account),
}

/// An account of the Blob service, and what its URL said beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its URL, to which the container is added.
    url: Url,
    /// Its name, if the URL has it.
    pub name: Option<String>,
    /// The container and the folder in it, if the URL goes that deep.
    pub path: Vec<String>,
}

impl StoreUrl {
    /// Reads a `store.url`: `file:///dir`, `abfss://<container>@<account>.dfs.core.windows.net[/<folder>]`, `https://<account>.blob.core.windows.net[/<container>[/<folder>]]`, or with the account
    /// in the path, as the emulator has it: `http://127.0.0.1:10000/devstoreaccount1[/<container>[/<folder>]]`. A `dfs` host is
    /// taken for the `blob` host of the same account.
    ///
    /// # Errors
    /// What is wrong with it. A query and what stands before an `@` are not shown: they may be a signature and a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let shown = shown(text);
        if let Some(rest) = text.strip_prefix("abfss://") {
            return abfss(rest).and_then(Account::from_url).map(Self::Account);
        }
        let url = Url::parse(text).map_err(|e| {
            format!("{shown:?} is not a URL: {e}; an account is https://<host>, a directory file:///<absolute path>")
        })?;
        match url.scheme() {
            "file" => match url.to_file_path() {
                Ok(path) if text[5..].starts_with('/') => Ok(Self::Directory(path)),
                _ => Err(format!("{shown:?} names no directory: it must be file:///<absolute path>")),
            },
            "http" | "https" => Account::from_url(url).map(Self::Account),
            scheme => Err(format!("{shown:?} cannot be used: {scheme} is none of file, https and http")),
        }
    }
}

impl Account {
    /// The account `name` in the cloud whose hosts of storage end with `suffix`, as `core.windows.net`.
    ///
    /// # Errors
    /// The name does not fit into a URL.
    pub fn named(name: &str, suffix: &str) -> Result<Self, String> {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(format!("{name:?} is no name of an account"));
        }
        let url = format!("https://{name}.blob.{suffix}");
        Url::parse(&url).map_err(|e| format!("{url:?} is not a URL: {e}")).and_then(Self::from_url)
    }

    /// The account that `url` names; see [`StoreUrl::parse`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_url(mut url: Url) -> Result<Self, String> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL of storage cannot hold a user or a password".into());
        }
        let shown = shown(url.as_str());
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{shown:?} has more after it: a shared access signature has a key of its own"));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let decode = |name: &str| percent_decoded(name).ok_or_else(|| format!("{shown:?} is not UTF-8 once decoded"));
        let mut path = url.path().split('/').filter(|name| !name.is_empty()).map(decode).collect::<Result<Vec<_>, _>>()?;
        let address = host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[');
        let in_path = address || !host.contains('.') || path.first().is_some_and(|name| name == EMULATOR_ACCOUNT);
        let local = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        if url.scheme() != "https" && !local && path.first().is_none_or(|name| name != EMULATOR_ACCOUNT) {
            return Err(format!("{shown:?} is not https: only an emulator may be spoken to in the clear"));
        }
        if in_path && path.is_empty() {
            return Err(format!("{shown:?} has no account: it must be {}://{host}/<account>", url.scheme()));
        }
        let name = if in_path {
            let name = path.remove(0);
            url.set_path(&name);
            Some(name)
        } else {
            url.set_path("");
            if let Some((account, suffix)) = host.split_once(".dfs.") {
                url.set_host(Some(&format!("{account}.blob.{suffix}"))).map_err(|e| format!("{shown:?} is not a URL: {e}"))?;
            }
            // Hosts of other forms are gateways and private names. Behind the account there may be a zone, or `privatelink`.
            let account = host.split_once(".blob.").or_else(|| host.split_once(".dfs."));
            account.map(|(account, _)| account.split('.').next().unwrap_or(account).to_owned())
        };
        Ok(Self { url, name, path })
    }

    /// The URL of `container`.
    ///
    /// # Errors
    /// The URL takes no path.
    pub fn container(&self, container: &str) -> Result<Url, String> {
        let mut url = self.url.clone();
        url.path_segments_mut().map_err(|()| format!("{} is no base of a path", self.url))?.pop_if_empty().push(container);
        Ok(url)
    }

    /// Checks the name of a container of it: 3 to 63 lower-case letters, digits and single hyphens; in OneLake it is a workspace, whose
    /// name or id may be other text.
    ///
    /// # Errors
    /// What it must be.
    pub fn check_container(&self, name: &str) -> Result<(), String> {
        match is_one_lake(&self.url) {
            true if name.trim().is_empty() || name.contains('/') => Err("a workspace of OneLake has a name or an id".into()),
            true => Ok(()),
            false => container_name(name),
        }
    }

    /// Whether it is spoken to in the clear, which tokens must not be.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.url.scheme() != "https"
    }
}

/// What the name of an account makes the worker reach for.
pub(crate) fn account_reached(name: &str, properties: &Properties) -> Vec<Reached> {
    let name = name.trim();
    let elsewhere = ["store.url", "connect.datalake.endpoint"]
        .iter()
        .any(|key| properties.get(*key).is_some_and(|url| !url.trim().is_empty()));
    if name.is_empty() || elsewhere {
        return Vec::new();
    }
    let suffix = properties.get("landfall.azure.endpoint.suffix").map(|suffix| suffix.trim()).filter(|suffix| !suffix.is_empty());
    vec![Reached::Host(format!("https://{name}.blob.{}", suffix.unwrap_or_else(|| storage_suffix(properties))))]
}

/// Whether `url` is of OneLake, the store of Microsoft Fabric, where a container is a workspace and its folders are items.
pub(crate) fn is_one_lake(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host.ends_with(".fabric.microsoft.com"))
}

/// The `https` URL of what comes after `abfss://`, Spark's form.
fn abfss(rest: &str) -> Result<Url, String> {
    let bad = || "it must be abfss://<container>@<account>.dfs.core.windows.net[/<folder>]".to_owned();
    let (container, place) = rest.split_once('@').ok_or_else(bad)?;
    let (host, folder) = place.split_once('/').unwrap_or((place, ""));
    if container.is_empty() || container.contains([':', '/']) || host.is_empty() || host.contains('@') {
        return Err(bad());
    }
    let mut url = Url::parse(&format!("https://{host}/{folder}")).map_err(|_| bad())?;
    let folders: Vec<_> = url.path_segments().into_iter().flatten().map(str::to_owned).collect();
    let folders = folders.iter().filter_map(|folder| percent_decoded(folder)).filter(|folder| !folder.is_empty());
    let container = percent_decoded(container).ok_or_else(bad)?;
    url.path_segments_mut().map_err(|()| bad())?.clear().push(&container).extend(folders);
    Ok(url)
}

/// Checks a container's name: 3 to 63 lower-case letters, digits and single hyphens.
///
/// # Errors
/// What it must be.
pub fn container_name(name: &str) -> Result<(), String> {
    let name = name.trim();
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let hyphens = !name.starts_with('-') && !name.ends_with('-') && !name.contains("--");
    if letters && hyphens && (3..=63).contains(&name.len()) || name == "$web" {
        return Ok(());
    }
    Err("a container's name has 3 to 63 lower-case letters, digits and single hyphens between them".into())
}

/// What may be shown of a URL, or of what should be one.
fn shown(text: &str) -> String {
    match (text.contains('@'), text.split_once("://")) {
        (true, Some((scheme, _))) => format!("{scheme}://[hidden]"),
        (true, None) => "[hidden]".into(),
        (false, _) => text.split(['?', '#']).next().unwrap_or_default().to_owned(),
    }
}

fn percent_decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match byte {
            b'%' => bytes.push((hex(rest.next())? * 16 + hex(rest.next())?) as u8),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(text: &str) -> (String, Option<String>, String) {
        match StoreUrl::parse(text).expect(text) {
            StoreUrl::Account(account) => {
                (account.container("lake").expect("a URL").to_string(), account.name.clone(), account.path.join("/"))
            }
            StoreUrl::Directory(_) => panic!("{text} is an account"),
        }
    }

    #[test]
    fn accounts_are_found_in_hosts_and_paths() {
        let of = |url: &str, name: Option<&str>, path: &str| (url.to_owned(), name.map(str::to_owned), path.to_owned());
        for (text, expected) in [
            ("https://acct.blob.core.windows.net", of("https://acct.blob.core.windows.net/lake", Some("acct"), "")),
            ("https://acct.dfs.core.windows.net/", of("https://acct.blob.core.windows.net/lake", Some("acct"), "")),
            ("https://acct.blob.core.windows.net/c/a%20b/", of("https://acct.blob.core.windows.net/lake", Some("acct"), "c/a b")),
            (
                "http://127.0.0.1:7/devstoreaccount1/c",
                of("http://127.0.0.1:7/devstoreaccount1/lake", Some("devstoreaccount1"), "c"),
            ),
            ("http://azurite:7/devstoreaccount1", of("http://azurite:7/devstoreaccount1/lake", Some("devstoreaccount1"), "")),
            ("http://localhost:7/other", of("http://localhost:7/other/lake", Some("other"), "")),
            ("https://lake.acme.com/c", of("https://lake.acme.com/lake", None, "c")),
            (
                "https://acct.privatelink.dfs.core.windows.net/c",
                of("https://acct.privatelink.blob.core.windows.net/lake", Some("acct"), "c"),
            ),
            ("https://acct.z12.blob.storage.azure.net", of("https://acct.z12.blob.storage.azure.net/lake", Some("acct"), "")),
            ("https://acct.blob.core.usgovcloudapi.net", of("https://acct.blob.core.usgovcloudapi.net/lake", Some("acct"), "")),
            ("abfss://c@acct.dfs.core.windows.net/a/b", of("https://acct.blob.core.windows.net/lake", Some("acct"), "c/a/b")),
            (
                "https://onelake.dfs.fabric.microsoft.com/My Space/Sales.Lakehouse/Files/raw",
                of("https://onelake.blob.fabric.microsoft.com/lake", Some("onelake"), "My Space/Sales.Lakehouse/Files/raw"),
            ),
            (
                "abfss://My%20Space@onelake.dfs.fabric.microsoft.com/Sales.Lakehouse/Files",
                of("https://onelake.blob.fabric.microsoft.com/lake", Some("onelake"), "My Space/Sales.Lakehouse/Files"),
            ),
        ] {
            assert_eq!(account(text), expected, "{text}");
        }
    }

    #[test]
    fn directories_are_absolute() {
        assert_eq!(StoreUrl::parse("file:///tmp/a%20b/"), Ok(StoreUrl::Directory("/tmp/a b/".into())));
        assert_eq!(StoreUrl::parse("file:/tmp"), Ok(StoreUrl::Directory("/tmp".into())));
        for bad in ["file://host/tmp", "file:tmp"] {
            assert!(StoreUrl::parse(bad).expect_err(bad).contains("file:///<absolute path>"), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_a_signature() {
        for (text, why) in [
            (
                "lake",
                "\"lake\" is not a URL: relative URL without a base; an account is https://<host>, a directory file:///<absolute path>",
            ),
            ("s3://lake?sig=pssst", "\"s3://lake\" cannot be used: s3 is none of file, https and http"),
            (
                "http://acct.blob.core.windows.net",
                "\"http://acct.blob.core.windows.net/\" is not https: only an emulator may be spoken to in the clear",
            ),
            ("http://127.0.0.1:7", "\"http://127.0.0.1:7/\" has no account: it must be http://127.0.0.1/<account>"),
            (
                "https://a.blob.core.windows.net/c?sig=pssst",
                "\"https://a.blob.core.windows.net/c\" has more after it: a shared access signature has a key of its own",
            ),
            ("https://me:pssst@a.blob.core.windows.net/", "a URL of storage cannot hold a user or a password"),
            ("https://me:pssst@a.blob.core.windows.net/c?sig=pssst", "a URL of storage cannot hold a user or a password"),
        ] {
            assert_eq!(StoreUrl::parse(text).expect_err(text), why);
        }
        for text in ["abfss://pssst", "abfss://c:pssst@a.dfs.core.windows.net", "abfss://c@pssst@a", "abfss://@a"] {
            let why = StoreUrl::parse(text).expect_err(text);
            assert_eq!(why, "it must be abfss://<container>@<account>.dfs.core.windows.net[/<folder>]");
        }
        for text in ["https://me:pssst/x@a.blob.core.windows.net", "me:pssst@a/c", "me pssst@a", "wasbs://pssst@a?sig=psss@t"] {
            let why = StoreUrl::parse(text).expect_err(text);
            assert!(!why.contains("psss") && why.contains("[hidden]"), "{why}");
        }
    }

    #[test]
    fn workspaces_of_one_lake_have_other_names() {
        let check =
            |url: &str, name| Account::from_url(Url::parse(url).expect("a URL")).expect("an account").check_container(name);
        assert!(check("https://onelake.dfs.fabric.microsoft.com", "My Space").is_ok());
        assert!(check("https://onelake.dfs.fabric.microsoft.com", " ").is_err());
        assert!(check("https://acct.blob.core.windows.net", "My Space").is_err());
    }

    #[test]
    fn container_names_are_azures() {
        assert!(["lake", "a-1", "abc", "$web"].iter().all(|name| container_name(name).is_ok()));
        assert!(["", "ab", "Lake", "a--b", "-ab", "a_b", "a/b", "..", "ä12"].iter().all(|name| container_name(name).is_err()));
    }
}
