//! What the keys and the environment say.

use super::environment::Environment;
use super::error::EntraError;
use super::keys::read_in;
use super::way::Way;
use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(|name| variables.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned()))
}

fn read(variables: &[(&str, &str)], keys: &[(&str, &str)]) -> Result<Way, String> {
    let given = keys.iter().map(|(key, value)| (format!("landfall.azure.{key}"), (*value).to_owned())).collect();
    let mut faults = Faults::default();
    let way = read_in(&environment(variables), &given, &mut faults);
    faults.or(way).map_err(|faults| faults.to_string())
}

const POD: &[(&str, &str)] = &[
    ("AZURE_TENANT_ID", "contoso.com"),
    ("AZURE_CLIENT_ID", "app"),
    ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token"),
    ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
];

#[test]
fn a_credential_is_said_by_keys_and_by_the_environment() {
    let application = [("tenant.id", "contoso.com"), ("client.id", "app")];
    let with = |more: &[(&'static str, &'static str)]| [application.as_slice(), more].concat();
    for (variables, keys, expected) in [
        (
            &[][..],
            with(&[("credential", "client-secret"), ("client.secret", "pssst")]),
            "the client secret of the application \"app\" in the tenant \"contoso.com\"",
        ),
        (
            &[],
            with(&[("credential", "client-certificate"), ("client.certificate", "/app.pem")]),
            "the certificate of the application \"app\" in the tenant \"contoso.com\"",
        ),
        (
            POD,
            vec![("credential", "workload-identity"), ("client.id", "other")],
            "the workload identity of the application \"other\" in the tenant \"contoso.com\"",
        ),
        (&[], vec![("credential", "managed-identity")], "the managed identity of this machine"),
        (&[], vec![("credential", "managed-identity"), ("client.id", "me")], "the managed identity with the client id \"me\""),
        (
            &[],
            vec![("credential", "managed-identity"), ("resource.id", "/s")],
            "the managed identity with the resource id \"/s\"",
        ),
        (&[], vec![("credential", "azure-cli"), ("tenant.id", "t")], "the user of the Azure CLI in the tenant \"t\""),
        (
            &[("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "a"), ("AZURE_CLIENT_CERTIFICATE_PATH", "/a.pfx")],
            vec![("credential", "environment")],
            "the certificate of the application \"a\" in the tenant \"t\"",
        ),
        (POD, vec![("credential", "default")], "the default credentials"),
    ] {
        let way = read(variables, &keys).expect(expected);
        assert_eq!(way.describe(), expected);
        assert!(!format!("{way:?}").contains("pssst"), "{way:?}");
    }
}

#[test]
fn entra_is_where_the_cloud_has_it() {
    let of = |variables: &[(&str, &str)], keys: &[(&str, &str)]| {
        read(variables, &[keys, &[("credential", "managed-identity")]].concat()).map(|way| way.authority)
    };
    for (variables, keys, expected) in [
        (&[][..], &[][..], "https://login.microsoftonline.com"),
        (&[], &[("cloud", "china")], "https://login.chinacloudapi.cn"),
        (POD, &[], "https://login.microsoftonline.us"),
        (POD, &[("cloud", "public")], "https://login.microsoftonline.com"),
        (POD, &[("authority", "https://login.contoso.com")], "https://login.contoso.com"),
        (&[("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")], &[], "https://login.microsoftonline.us"),
    ] {
        assert_eq!(of(variables, keys).as_deref(), Ok(expected));
    }
    let error = of(&[], &[("authority", "http://login.contoso.com")]).expect_err("in the clear");
    assert!(error.ends_with("an authority is https://<host>, as https://login.microsoftonline.com"), "{error}");
}

#[test]
fn what_is_missing_or_means_nothing_is_said() {
    for (keys, why) in [
        (
            &[("client.secret", "pssst")][..],
            "Missing required configuration \"landfall.azure.credential\" which has no default value.",
        ),
        (
            &[("credential", "client-secret"), ("tenant.id", "t"), ("client.id", "app")],
            "Missing required configuration \"landfall.azure.client.secret\" which has no default value.",
        ),
        (
            &[("credential", "managed-identity"), ("client.secret", "pssst")],
            "landfall.azure.client.secret means nothing beside landfall.azure.credential=managed-identity",
        ),
        (
            &[("credential", "managed-identity"), ("client.id", "a"), ("resource.id", "b")],
            "give landfall.azure.client.id or landfall.azure.resource.id of the identity, not both",
        ),
        (
            &[("credential", "environment")],
            "landfall.azure.credential=environment cannot be used: AZURE_TENANT_ID is not in the worker's environment",
        ),
        (
            &[("credential", "workload-identity"), ("tenant.id", "t"), ("client.id", "app")],
            "landfall.azure.credential=workload-identity cannot be used: neither landfall.azure.federated.token.file is given nor is AZURE_FEDERATED_TOKEN_FILE in the worker's environment",
        ),
        (
            &[("credential", "azure-cli"), ("tenant.id", "a/b")],
            "Invalid value a/b for configuration landfall.azure.tenant.id: a tenant is its id or one of its domains: letters, digits, hyphens and dots",
        ),
        (
            &[("credential", "azure-cli"), ("proxy", "proxy:8080")],
            "Invalid value for configuration landfall.azure.proxy: a proxy is http://<host>:<port>",
        ),
        (
            &[("credential", "azure-cli"), ("no.proxy", "a,b")],
            "landfall.azure.no.proxy means nothing without landfall.azure.proxy",
        ),
        (
            &[("credential", "azure-cli"), ("proxy", "http://p:1"), ("proxy.password", "pssst")],
            "landfall.azure.proxy.password is given without landfall.azure.proxy.user",
        ),
    ] {
        assert_eq!(read(&[], keys).expect_err(why), why);
    }
}

#[tokio::test]
async fn a_chain_says_what_is_missing_in_each_link() {
    let way = read(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")], &[("credential", "default")]).expect("good");
    let error = way.token("https://storage.azure.com/.default").await.expect_err("nothing is there");
    assert!(!error.is_retriable(), "{error}");
    let expected = "no token by the default credentials: environment: AZURE_TENANT_ID is not in the worker's environment; workload \
                    identity: neither landfall.azure.tenant.id is given nor is AZURE_TENANT_ID in the worker's environment; managed \
                    identity: there is no instance metadata service at http://127.0.0.1:1: Connection refused (os error 111); Azure CLI: \
                    az account get-access-token failed: ";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn who_says_the_same_shares_tokens() {
    let given = |id: &str| {
        let keys = [("landfall.azure.credential", "managed-identity"), ("landfall.azure.client.id", id)];
        keys.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    };
    let read = |id: &str| Entra::read(&given(id), &mut Faults::default()).expect("good");
    let (one, same, other) = (read("shared-1"), read("shared-1"), read("shared-2"));
    assert!(Arc::ptr_eq(&one.0, &same.0) && !Arc::ptr_eq(&one.0, &other.0));
    assert!(Entra::is_given(&given("a")) && !Entra::is_given(&Properties::new()));
    assert_eq!(format!("{one:?}"), "Entra(\"the managed identity with the client id \\\"shared-1\\\"\")");
}

#[test]
fn an_error_is_named_by_its_code() {
    use azure_core::http::StatusCode;
    let error = |status: u16, body: &'static str| {
        let headers = azure_core::http::headers::Headers::new();
        let status = StatusCode::from(status);
        let answer = azure_core::http::RawResponse::from_bytes(status, headers, body);
        let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response: Some(Box::new(answer)) };
        let inner = azure_core::Error::with_message(kind, "pssst");
        EntraError::of("who", "https://login", &azure_core::Error::with_error(ErrorKind::Credential, inner, "pssst"))
    };
    for (status, body, retriable, text) in [
        (
            401,
            r#"{"error":"invalid_client","error_codes":[7000222],"error_description":"AADSTS7000222: pssst"}"#,
            false,
            "no token by who: https://login answered HTTP 401 AADSTS7000222, the client secret has expired: make a new one",
        ),
        (
            400,
            r#"{"error":"invalid_request","error_description":"Identity not found"}"#,
            false,
            "no token by who: https://login answered HTTP 400 invalid_request, no such identity is assigned to this machine",
        ),
        (429, "<html>", true, "no token by who: https://login answered HTTP 429"),
        (503, "", true, "no token by who: https://login answered HTTP 503"),
    ] {
        let error = error(status, body);
        assert_eq!((error.to_string().as_str(), error.is_retriable()), (text, retriable));
    }
}
