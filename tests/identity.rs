//! Credentials of Entra ID: every kind gets its tokens from a stand-in over real HTTP, keeps them fresh, and says what is wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use landfall_adls::entra::{Entra, EntraError};
use landfall_api::{Faults, Properties};
use serde_json::json;

use crate::support::entra::{FakeEntra, Trouble, refusal};
use crate::support::{secs, wait_until};

const STORAGE: &str = "https://storage.azure.com/.default";

/// The client secret of the stand-in's application, with `changes`.
fn properties(fake: &FakeEntra, changes: &[(&str, &str)]) -> Properties {
    let ca = fake.ca_file().display().to_string();
    let url = fake.url();
    let mut given: BTreeMap<_, _> = [
        ("landfall.azure.credential", "client-secret"),
        ("landfall.azure.tenant.id", FakeEntra::TENANT),
        ("landfall.azure.client.id", FakeEntra::CLIENT),
        ("landfall.azure.client.secret", FakeEntra::SECRET),
        ("landfall.azure.authority", &url),
        ("landfall.azure.ca.file", &ca),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    for (key, value) in changes {
        match *value {
            "-" => drop(given.remove(*key)),
            value => drop(given.insert((*key).to_owned(), value.to_owned())),
        }
    }
    given
}

fn entra(fake: &FakeEntra, changes: &[(&str, &str)]) -> Entra {
    let mut faults = Faults::default();
    let read = Entra::read(&properties(fake, changes), &mut faults);
    assert!(faults.is_empty(), "{faults}");
    read.expect("no faults")
}

fn refused(fake: &FakeEntra, changes: &[(&str, &str)]) -> EntraError {
    entra(fake, changes).token_blocking(STORAGE).expect_err("refused")
}

#[test]
fn one_request_serves_all_who_wait_and_tokens_are_renewed_without_a_stall() {
    let fake = FakeEntra::start();
    fake.lives(4);
    fake.next([Trouble::Slow(Duration::from_millis(300))]);
    // Connectors that say the same have one credential.
    let (one, same) = (entra(&fake, &[]), entra(&fake, &[]));
    let tokens: Vec<_> = std::thread::scope(|scope| {
        let ask = |entra: &Entra| entra.token_blocking(STORAGE).expect("a token").secret.reveal().to_owned();
        let asking: Vec<_> = (0..8).map(|n| scope.spawn(move || n)).collect();
        drop(asking);
        let asking: Vec<_> = [&one, &same, &one, &same].into_iter().map(|entra| scope.spawn(move || ask(entra))).collect();
        asking.into_iter().map(|asking| asking.join().expect("no panic")).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(fake.asked().len(), 1);
    // The renewal is slow: nobody waits for it.
    fake.next([Trouble::Slow(Duration::from_millis(800))]);
    let renewed = wait_until("a new token", secs(10), || {
        let before = Instant::now();
        let token = one.token_blocking(STORAGE).expect("a token");
        assert!(before.elapsed() < Duration::from_millis(300), "a stall of {:?}", before.elapsed());
        (token.secret.reveal() != tokens[0]).then_some(token)
    });
    assert!(renewed.expires > std::time::SystemTime::now());
    assert_eq!(fake.asked()[1].fields["scope"], STORAGE);
    // Another scope has a token of its own.
    one.token_blocking("https://vault.azure.net/.default").expect("a token");
    assert!(fake.asked().iter().any(|asked| asked.fields["scope"] == "https://vault.azure.net/.default"));
    assert_eq!(fake.issue(&json!({})).split('.').count(), 3);
}

#[test]
fn an_overloaded_or_silent_entra_is_asked_again_while_the_old_token_is_good() {
    let fake = FakeEntra::start();
    // The first caller waits as long as it is told to.
    fake.next([Trouble::Busy(429, 1)]);
    let entra = entra(&fake, &[]);
    fake.lives(6);
    let (before, first) = (Instant::now(), entra.token_blocking(STORAGE).expect("a token"));
    assert!(before.elapsed() >= secs(1), "Retry-After is a second: {:?}", before.elapsed());
    // A renewal that fails does no harm; the next one succeeds.
    fake.next([Trouble::Refused(400, refusal(90_033, "A transient error has occurred. Please try again."))]);
    wait_until("a new token", secs(15), || {
        let token = entra.token_blocking(STORAGE).expect("a token");
        (token.secret != first.secret).then_some(())
    });
    assert!(fake.asked().len() >= 4, "{:?}", fake.asked());
}

#[test]
fn who_is_refused_is_told_why_and_never_shown_a_secret() {
    let fake = FakeEntra::start();
    let of = |error: EntraError| {
        assert!(!error.is_retriable(), "{error}");
        error.to_string()
    };
    let (client, tenant) = (FakeEntra::CLIENT, FakeEntra::TENANT);
    let url = fake.url();
    let wrong = refused(&fake, &[("landfall.azure.client.secret", "planted-wrong-secret")]);
    assert_eq!(wrong.code(), Some("AADSTS7000215"));
    assert_eq!(
        of(wrong),
        format!(
            "no token by the client secret of the application {client:?} in the tenant {tenant:?}: {url} answered HTTP 401 \
             AADSTS7000215, the client secret is wrong: it is the secret's value that counts, not its id"
        )
    );
    assert_eq!(
        of(refused(&fake, &[("landfall.azure.tenant.id", "contoso.com")])),
        format!(
            "no token by the client secret of the application {client:?} in the tenant \"contoso.com\": {url} answered HTTP 400 \
             AADSTS90002, there is no such tenant: compare the tenant id and the cloud"
        )
    );
    assert_eq!(
        of(refused(&fake, &[("landfall.azure.client.id", "other")])),
        format!(
            "no token by the client secret of the application \"other\" in the tenant {tenant:?}: {url} answered HTTP 400 \
             AADSTS700016, the tenant has no such application: compare the client id and the tenant id"
        )
    );
    fake.next([Trouble::Refused(400, refusal(50_999, "Something that nobody knows."))]);
    let unknown = of(refused(&fake, &[]));
    assert!(unknown.ends_with("HTTP 400 AADSTS50999, Something that nobody knows. Trace ID: 0 Correlation ID: 0"), "{unknown}");
    // After a refusal the next one asks anew.
    entra(&fake, &[]).token_blocking(STORAGE).expect("a token");
    let nowhere = refused(&fake, &[("landfall.azure.ca.file", "/nowhere.pem")]);
    assert!(of(nowhere).ends_with("landfall.azure.ca.file=/nowhere.pem cannot be read: No such file or directory (os error 2)"));
}

#[test]
fn a_certificate_signs_for_its_application() {
    let fake = FakeEntra::start();
    let (pem, pfx) = fake.authority().application("app", "pfx-password");
    let (other, _) = fake.authority().application("other", "x");
    let certificate = |file: &std::path::Path, more: &[(&str, &str)]| {
        let file = file.display().to_string();
        let own = [
            ("landfall.azure.credential", "client-certificate"),
            ("landfall.azure.client.secret", "-"),
            ("landfall.azure.client.certificate", file.as_str()),
        ];
        entra(&fake, &[own.as_slice(), more].concat()).token_blocking(STORAGE)
    };
    let error = certificate(&pem, &[]).expect_err("not registered");
    assert_eq!(error.code(), Some("AADSTS700027"));
    fake.trust(&pem);
    certificate(&pem, &[]).expect("a token");
    certificate(&pfx, &[("landfall.azure.client.certificate.password", "pfx-password")]).expect("a token");
    let wrong =
        certificate(&pfx, &[("landfall.azure.client.certificate.password", "planted-wrong")]).expect_err("refused").to_string();
    assert!(wrong.ends_with("app.pfx is neither PEM nor PKCS#12 with the password that is given"), "{wrong}");
    assert_eq!(certificate(&other, &[]).expect_err("another").code(), Some("AADSTS700027"));
    let missing = certificate(std::path::Path::new("/nowhere.pem"), &[]).expect_err("missing").to_string();
    assert!(
        missing.ends_with("the certificate file /nowhere.pem cannot be read: No such file or directory (os error 2)"),
        "{missing}"
    );
    let bare = certificate(&fake.ca_file(), &[]).expect_err("no key").to_string();
    assert!(bare.contains("has no private key, or one with a password"), "{bare}");
}
