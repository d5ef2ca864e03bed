use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use super::*;

const HANDLER: (&str, &str) =
    ("sasl.login.callback.handler.class", "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler");

fn read(given: &[(&str, &str)], options: &[(&str, &str)]) -> Result<Tokens, Faults> {
    let map = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut faults = Faults::default();
    let tokens = Tokens::read(&map(given), &map(options), &mut faults);
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
    made_here(&Map::from_iter([("sub".to_owned(), json!("me"))]), lifetime)
}

#[tokio::test]
async fn an_authorization_server_is_asked_until_it_answers_and_again_when_it_is_time() {
    let (long, short) = (jwt(3600), jwt(1));
    let answer = |token: &str| (200, json!({ "access_token": token, "expires_in": 1 }).to_string());
    let (url, asked) = server(vec![(503, String::new()), answer(&short), answer(&long)]);
    let given = [
        HANDLER,
        ("sasl.oauthbearer.token.endpoint.url", url.as_str()),
        ("sasl.oauthbearer.client.credentials.client.id", "me & you"),
        ("sasl.oauthbearer.header.urlencode", "true"),
        ("sasl.login.retry.backoff.ms", "1"),
        ("sasl.login.refresh.window.factor", "0.5"),
    ];
    let options = [("clientId", "older"), ("clientSecret", "the secret"), ("scope", "kafka"), ("extension_pool", "p1")];
    let tokens = read(&given, &options).expect("tokens");
    let first = tokens.token().await.expect("a token");
    assert_eq!(first.text.reveal(), short);
    assert_eq!(first.extensions, [("pool".to_owned(), "p1".to_owned())]);
    while SystemTime::now() < tokens.last.lock().expect("not poisoned").as_ref().expect("kept").1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for _ in 0..3 {
        assert_eq!(tokens.token().await.expect("a token").text.reveal(), long);
    }
    let asked: Vec<_> = asked.try_iter().collect();
    assert_eq!(asked.len(), 3);
    let credentials = STANDARD.encode("me+%26+you:the+secret");
    assert!(asked[2].starts_with("POST /token ") && asked[2].contains(&credentials), "{}", asked[2]);
    assert!(asked[2].ends_with("grant_type=client_credentials&scope=kafka"), "{}", asked[2]);
}

#[tokio::test]
async fn a_refusal_is_said_without_what_was_sent() {
    let refusal = json!({ "error": "invalid_client", "echo": "the-secret" }).to_string();
    let (url, asked) = server(vec![(401, refusal), (200, json!({ "token": "the-secret" }).to_string())]);
    let given = [HANDLER, ("sasl.oauthbearer.token.endpoint.url", url.as_str())];
    let options = [("clientId", "me"), ("clientSecret", "the-secret")];
    let tokens = read(&given, &options).expect("tokens");
    assert_eq!(tokens.token().await.expect_err("refused"), format!("{url}: HTTP status 401 invalid_client"));
    assert_eq!(tokens.token().await.expect_err("nothing"), format!("{url}: the answer has no access_token"));
    assert_eq!(asked.try_iter().count(), 2);
    assert!(!format!("{tokens:?}").contains("secret"));
}

#[tokio::test]
async fn a_file_is_read_again_when_its_token_has_had_its_time() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let url = format!("file://{}", file.path().display());
    let given = [HANDLER, ("sasl.oauthbearer.token.endpoint.url", url.as_str())];
    let tokens = read(&given, &[]).expect("tokens");
    for token in ["opaque", "another"] {
        fs::write(file.path(), format!("{token}\n")).expect("written");
        assert_eq!(tokens.token().await.expect("a token").text.reveal(), token);
    }
}

#[tokio::test]
async fn a_token_without_signature_has_the_claims_of_the_options() {
    let options = [
        ("unsecuredLoginStringClaim_sub", "me"),
        ("unsecuredLoginNumberClaim_level", "3"),
        ("unsecuredLoginListClaim_scope", "|read|write"),
        ("unsecuredLoginExtension_trace", "7"),
    ];
    let token = read(&[], &options).expect("tokens").token().await.expect("a token");
    assert_eq!(token.extensions, [("trace".to_owned(), "7".to_owned())]);
    let claims = token.text.reveal().split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).expect("claims");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!((&claims["sub"], &claims["level"], &claims["scope"]), (&json!("me"), &json!(3.0), &json!(["read", "write"])));
    assert!(claims["exp"].as_f64() > claims["iat"].as_f64());
}

#[test]
fn what_cannot_be_done_is_refused_by_its_key() {
    let sub = ("unsecuredLoginStringClaim_sub", "me");
    let cases = [
        (vec![("sasl.login.callback.handler.class", "com.example.Handler")], vec![sub], "sasl.login.callback.handler.class"),
        (vec![], vec![], "sasl.jaas.config"),
        (vec![], vec![sub, ("unsecuredLoginStringClaim_exp", "1")], "sasl.jaas.config"),
        (vec![HANDLER], vec![], "sasl.oauthbearer.token.endpoint.url"),
        (
            vec![HANDLER, ("sasl.oauthbearer.jwt.retriever.class", "x.JwtBearerJwtRetriever")],
            vec![],
            "sasl.oauthbearer.jwt.retriever.class",
        ),
        (
            vec![HANDLER, ("sasl.oauthbearer.token.endpoint.url", "https://a/b")],
            vec![("clientId", "me")],
            "sasl.oauthbearer.client.credentials.client.secret",
        ),
        (vec![("sasl.login.refresh.window.factor", "2")], vec![sub], "sasl.login.refresh.window.factor"),
    ];
    for (given, options, key) in cases {
        let faults = read(&given, &options).expect_err(key);
        assert!(faults.0.iter().any(|fault| fault.key == key), "{key}: {faults:?}");
    }
}

#[test]
fn a_token_is_replaced_before_it_ends() {
    let refresh = |jitter| Refresh { factor: 0.8, jitter, min_period: 60.0, buffer: 300.0 };
    let left = |refresh: Refresh, lifetime| {
        let token = Password::parse(&jwt(lifetime)).expect("a token");
        refresh.at(&token).and_then(|at| at.duration_since(SystemTime::now()).ok()).unwrap_or_default().as_secs()
    };
    assert!((2875..=2880).contains(&left(refresh(0.0), 3600)));
    // the buffer
    assert!((695..=700).contains(&left(refresh(0.0), 1000)));
    // too short for buffer and least period
    assert!((75..=80).contains(&left(refresh(0.0), 100)));
    assert!(refresh(0.0).at(&Password::parse("opaque").expect("a token")).is_none());
}
