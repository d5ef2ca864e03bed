use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;

const OAUTH: (&str, &str) =
    ("sasl.login.callback.handler.class", "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler");

fn read(given: &[(&str, &str)], options: &[(&str, &str)]) -> Result<Arc<Tokens>, Faults> {
    let map = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut faults = Faults::default();
    let tokens = Tokens::read(&map(given), &map(options), "broker:9092", &mut faults);
    faults.or(tokens)
}

/// A server that gives these answers, each a status and a body, and what it is asked.
fn server(answers: Vec<(u16, String)>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/token", listener.local_addr().expect("an address"));
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        for (status, body) in answers {
            let (stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).expect("a line") > 2 {
                let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
            }
            let mut content = vec![0; length];
            reader.read_exact(&mut content).expect("a body");
            sender.send(head + &String::from_utf8_lossy(&content)).expect("wanted");
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            reader.get_mut().write_all(answer.as_bytes()).expect("written");
        }
    });
    (url, asked)
}

fn jwt(lifetime: i64) -> String {
    unsecured::make(&Map::from_iter([("sub".to_owned(), json!("me"))]), lifetime)
}

fn answer(token: &str) -> (u16, String) {
    (200, json!({ "access_token": token, "expires_in": 1 }).to_string())
}

/// Waits until it is time for another token.
fn pass(tokens: &Tokens) {
    let until = lock(&tokens.last).as_ref().expect("kept").until;
    thread::sleep(until.duration_since(SystemTime::now()).unwrap_or_default());
}

#[test]
fn an_authorization_server_is_asked_until_it_answers_and_again_when_it_is_time() {
    let (long, short) = (jwt(3600), jwt(2));
    let (url, asked) = server(vec![(503, String::new()), answer(&short), answer(&long)]);
    let given = [
        OAUTH,
        ("sasl.oauthbearer.token.endpoint.url", url.as_str()),
        ("sasl.oauthbearer.client.credentials.client.id", "me & you"),
        ("sasl.oauthbearer.header.urlencode", "true"),
        ("sasl.login.retry.backoff.ms", "1"),
        ("sasl.login.refresh.window.factor", "0.5"),
    ];
    let options = [("clientId", "older"), ("clientSecret", "the secret"), ("scope", "kafka"), ("extension_pool", "pOne")];
    let tokens = read(&given, &options).expect("tokens");
    let first = tokens.get().expect("a token");
    assert_eq!((first.text.reveal(), first.principal.as_str()), (short.as_str(), "me"));
    assert_eq!(first.extensions, [("pool".to_owned(), "pOne".to_owned())]);
    pass(&tokens);
    // Whoever has the same configuration has the same tokens.
    for tokens in [tokens, read(&given, &options).expect("tokens"), read(&given, &options).expect("tokens")] {
        assert_eq!(tokens.get().expect("a token").text.reveal(), long);
    }
    let asked: Vec<_> = asked.try_iter().collect();
    assert_eq!(asked.len(), 3);
    let credentials = STANDARD.encode("me+%26+you:the+secret");
    assert!(asked[2].starts_with("POST /token ") && asked[2].contains(&credentials), "{}", asked[2]);
    assert!(asked[2].ends_with("grant_type=client_credentials&scope=kafka"), "{}", asked[2]);
}

#[test]
fn a_refusal_is_said_without_what_was_sent() {
    let refusal = json!({ "error": "invalid_client", "echo": "the-secret" }).to_string();
    let (url, asked) = server(vec![(401, refusal), (200, json!({ "token": "the-secret" }).to_string()), answer(&jwt(-60))]);
    let given = [OAUTH, ("sasl.oauthbearer.token.endpoint.url", url.as_str())];
    let options = [("clientId", "me"), ("clientSecret", "the-secret")];
    let tokens = read(&given, &options).expect("tokens");
    let refused = |why: String| NoToken { why, again: false };
    assert_eq!(tokens.get().expect_err("refused"), refused(format!("{url}: HTTP status 401 invalid_client")));
    assert_eq!(tokens.get().expect_err("nothing"), refused(format!("{url}: the answer has no access_token")));
    let old = tokens.get().expect_err("an old one").why;
    assert!(old.starts_with("the token has expired 6") && old.ends_with("is it old, or the clock wrong?"), "{old}");
    assert_eq!(asked.try_iter().count(), 3);
    assert!(!format!("{tokens:?}").contains("secret"));
}

#[test]
fn a_file_is_read_again_when_its_token_has_had_its_time() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let url = format!("file://{}", file.path().display());
    let given = [OAUTH, ("sasl.oauthbearer.token.endpoint.url", url.as_str()), ("sasl.login.refresh.window.factor", "0.5")];
    let tokens = read(&given, &[]).expect("tokens");
    let (short, opaque) = (jwt(2), "opaque");
    fs::write(file.path(), &short).expect("written");
    assert_eq!(tokens.get().expect("a token").text.reveal(), short);
    fs::write(file.path(), format!("{opaque}\n")).expect("written");
    assert_eq!(tokens.get().expect("a token").text.reveal(), short);
    pass(&tokens);
    assert_eq!(tokens.get().expect("a token").text.reveal(), opaque);
    fs::remove_file(file.path()).expect("removed");
    *lock(&tokens.last) = None;
    assert!(tokens.get().expect_err("no file").why.contains("cannot be read"));
}

#[test]
fn an_assertion_is_signed_and_shown() {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key_file, template) = (path("key.pem"), path("template.json"));
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(key.as_ref()));
    fs::write(&key_file, pem).expect("written");
    fs::write(&template, r#"{"header": {"kid": "k1"}, "payload": {"level": 7}}"#).expect("written");
    let (url, asked) = server((0..3).map(|_| answer(&jwt(3600))).collect());
    let given = [
        OAUTH,
        ("sasl.oauthbearer.token.endpoint.url", url.as_str()),
        ("sasl.oauthbearer.scope", "api://x/.default"),
        ("sasl.oauthbearer.assertion.algorithm", "ES256"),
        ("sasl.oauthbearer.assertion.private.key.file", key_file.as_str()),
        ("sasl.oauthbearer.assertion.template.file", template.as_str()),
        ("sasl.oauthbearer.assertion.claim.aud", "the server"),
        ("sasl.oauthbearer.assertion.claim.iss", "me"),
        ("sasl.oauthbearer.assertion.claim.sub", "who"),
        ("sasl.oauthbearer.assertion.claim.jti.include", "true"),
        ("sasl.oauthbearer.assertion.claim.exp.seconds", "60"),
    ];
    let retriever =
        ("sasl.oauthbearer.jwt.retriever.class", "org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever");
    read(&[&given[..], &[retriever]].concat(), &[]).expect("tokens").get().expect("a token");
    read(&given, &[("clientId", "app")]).expect("tokens").get().expect("a token");
    fs::write(path("made"), "an.assertion\n").expect("written");
    let made = ("sasl.oauthbearer.assertion.file", path("made"));
    read(&[&given[..3], &[(made.0, made.1.as_str())]].concat(), &[]).expect("tokens").get().expect("a token");
    let asked: Vec<_> = asked.try_iter().map(|asked| asked.lines().last().unwrap_or_default().to_owned()).collect();
    let field = |asked: &str, name: &str| {
        asked.split('&').find_map(|field| field.strip_prefix(&format!("{name}="))).unwrap_or_default().to_owned()
    };
    assert_eq!(field(&asked[0], "grant_type"), "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
    assert_eq!((field(&asked[1], "grant_type"), field(&asked[1], "client_id")), ("client_credentials".into(), "app".into()));
    assert_eq!(field(&asked[1], "client_assertion_type"), "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer");
    assert!(asked.iter().all(|asked| field(asked, "scope") == "api%3A%2F%2Fx%2F.default"), "{asked:?}");
    assert_eq!(field(&asked[2], "client_assertion"), "an.assertion");
    let public = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref()).expect("a key");
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public.public_key().as_ref().to_vec());
    for assertion in [field(&asked[0], "assertion"), field(&asked[1], "client_assertion")] {
        let (content, signature) = assertion.rsplit_once('.').expect("three parts");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        public.verify(content.as_bytes(), &signature).expect("its signature");
        let part = |n: usize| -> Value {
            let part = content.split('.').nth(n).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).expect("a part");
            serde_json::from_slice(&part).expect("JSON")
        };
        assert_eq!(part(0), json!({"alg": "ES256", "typ": "JWT", "kid": "k1"}));
        let claims = part(1);
        assert_eq!((&claims["aud"], &claims["iss"], &claims["sub"]), (&json!("the server"), &json!("me"), &json!("who")));
        assert_eq!((&claims["level"], claims["jti"].as_str().map(str::len)), (&json!(7), Some(36)));
        let number = |name: &str| claims[name].as_i64().expect("a number");
        assert_eq!((number("exp") - number("iat"), number("iat") - number("nbf")), (60, 60));
    }
}

#[test]
fn a_token_without_signature_has_the_claims_of_the_options() {
    let options = [
        ("unsecuredLoginStringClaim_sub", "me"),
        ("unsecuredLoginNumberClaim_level", "3"),
        ("unsecuredLoginListClaim_scope", "|read|write"),
        ("unsecuredLoginExtension_trace", "7"),
    ];
    let token = read(&[], &options).expect("tokens").get().expect("a token");
    assert_eq!(token.extensions, [("trace".to_owned(), "7".to_owned())]);
    let claims = Value::Object(claims(token.text.reveal()).expect("claims"));
    assert_eq!((&claims["sub"], &claims["level"], &claims["scope"]), (&json!("me"), &json!(3.0), &json!(["read", "write"])));
    assert!(claims["exp"].as_f64() > claims["iat"].as_f64());
}

#[test]
fn what_cannot_be_done_is_refused_by_its_key() {
    let sub = ("unsecuredLoginStringClaim_sub", "me");
    let url = ("sasl.oauthbearer.token.endpoint.url", "https://a/b");
    let retriever = |class| ("sasl.oauthbearer.jwt.retriever.class", class);
    let issuer = ("sasl.oauthbearer.assertion.claim.iss", "me");
    let ready = [("clientId", "me"), ("clientSecret", "s")];
    let cases = [
        (vec![("sasl.login.callback.handler.class", "com.example.Handler")], vec![sub], "sasl.login.callback.handler.class"),
        (vec![], vec![], "sasl.jaas.config"),
        (vec![], vec![sub, ("unsecuredLoginStringClaim_exp", "1")], "sasl.jaas.config"),
        (vec![], vec![sub, ("unsecuredLoginExtension_auth", "1")], "sasl.jaas.config"),
        (vec![], vec![sub, ("unsecuredLoginExtension_a1", "1")], "sasl.jaas.config"),
        (vec![OAUTH], vec![], "sasl.oauthbearer.token.endpoint.url"),
        (vec![OAUTH, url, retriever("x.FileJwtRetriever")], vec![], "sasl.oauthbearer.token.endpoint.url"),
        (vec![OAUTH, url, retriever("x.Mine")], vec![], "sasl.oauthbearer.jwt.retriever.class"),
        (vec![OAUTH, url, retriever("x.JwtBearerJwtRetriever")], vec![], "sasl.oauthbearer.assertion.private.key.file"),
        (
            vec![OAUTH, url, issuer, ("sasl.oauthbearer.assertion.algorithm", "HS256")],
            vec![],
            "sasl.oauthbearer.assertion.algorithm",
        ),
        (vec![OAUTH, url], vec![("clientId", "me")], "sasl.oauthbearer.client.credentials.client.secret"),
        (vec![OAUTH, url], [&ready[..], &[("ssl.truststore.location", "/nowhere")]].concat(), "sasl.jaas.config"),
        (vec![OAUTH, url, ("sasl.login.read.timeout.ms", "soon")], ready.to_vec(), "sasl.login.read.timeout.ms"),
        (vec![("sasl.login.refresh.window.factor", "2")], vec![sub], "sasl.login.refresh.window.factor"),
    ];
    for (given, options, key) in cases {
        let faults = read(&given, &options).expect_err(key);
        assert!(faults.0.iter().any(|fault| fault.key == key), "{key}: {faults:?}");
    }
    assert!(read(&[OAUTH, url], &ready).is_ok());
}

#[test]
fn a_token_is_replaced_before_it_ends() {
    let refresh = Refresh { factor: 0.8, jitter: 0.0, min_period: 60.0, buffer: 300.0 };
    let left = |lifetime: f64| refresh.at(1e9, 1e9 + lifetime, 1e9) - 1e9;
    assert_eq!(left(3600.0), 2880.0);
    // the buffer
    assert_eq!(left(1000.0), 700.0);
    // too short for buffer and least period
    assert_eq!(left(100.0), 80.0);
}

/// A client that notes what it is given, until it is to end.
struct Noted(mpsc::Sender<Result<String, String>>, Arc<Mutex<bool>>);

impl Fed for Noted {
    fn give(&self, token: &Token) -> Result<(), String> {
        self.0.send(Ok(token.text.reveal().to_owned())).map_err(|_| "gone".into())
    }

    fn refuse(&self, why: &str) {
        let _ = self.0.send(Err(why.to_owned()));
    }

    fn has_ended(&self) -> bool {
        *lock(&self.1)
    }
}

#[test]
fn clients_are_given_each_token_until_they_end() {
    const WAIT: Duration = Duration::from_secs(20);
    let (first, second) = (jwt(3), jwt(3600));
    let (url, asked) = server(vec![(401, String::new()), answer(&first), answer(&second)]);
    let given = [
        OAUTH,
        ("sasl.oauthbearer.token.endpoint.url", url.as_str()),
        ("sasl.login.refresh.window.factor", "0.5"),
        ("sasl.login.refresh.window.jitter", "0"),
    ];
    let tokens = read(&given, &[("clientId", "me"), ("clientSecret", "s")]).expect("tokens");
    let ended = Arc::new(Mutex::new(false));
    let (sender, one) = mpsc::channel();
    tokens.feed(Box::new(Noted(sender, ended.clone())));
    assert!(one.recv_timeout(WAIT).expect("told").expect_err("refused").contains("401"));
    // Another client makes it ask again, and each of them has each token once.
    let (sender, other) = mpsc::channel();
    tokens.feed(Box::new(Noted(sender, ended.clone())));
    for token in [&first, &second] {
        for client in [&one, &other] {
            assert_eq!(client.recv_timeout(WAIT).expect("told").as_ref(), Ok(token));
        }
    }
    assert_eq!(asked.try_iter().count(), 3);
    *lock(&ended) = true;
    tokens.left();
    // Their ends of the channels are dropped with them.
    assert_eq!(
        (one.recv_timeout(WAIT), other.recv_timeout(WAIT)),
        (Err(mpsc::RecvTimeoutError::Disconnected), Err(mpsc::RecvTimeoutError::Disconnected))
    );
}
