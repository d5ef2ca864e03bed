//! Headers that the worker's properties ask for: pages of other origins (`access.control.allow.*`, Jetty's `CrossOriginHandler`) and
//! rules for any header (`response.http.headers.config`, Jetty's `HeaderFilter`; both 12.0, as in Kafka 4.3.1).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::RestError;
use crate::config::WorkerKeys;
use crate::kafka::pattern::Pattern;

/// What is added to every answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    origins: Option<Origins>,
    rules: Vec<Rule>,
}

impl Headers {
    /// What the properties ask for; none if they ask for nothing.
    ///
    /// With `takes_tokens` a page may send `Authorization`, other than in Java.
    pub(super) fn of(keys: &WorkerKeys, takes_tokens: bool) -> Option<Self> {
        let origins = Origins::parse(&keys.access_control_allow_origin, &keys.access_control_allow_methods).ok().flatten();
        let origins = origins.map(|origins| Origins { takes_tokens, ..origins });
        let rules = rules(&keys.response_http_headers).unwrap_or_default();
        (origins.is_some() || !rules.is_empty()).then(|| Self(Arc::new(Inner { origins, rules })))
    }
}

/// Adds them.
pub(super) async fn add(State(Headers(headers)): State<Headers>, request: Request, next: Next) -> Response {
    let allowed = headers.origins.as_ref().map(|origins| origins.answer(request.method(), request.headers()));
    let mut response = next.run(request).await;
    for (name, value) in allowed.into_iter().flatten() {
        response.headers_mut().append(name, value);
    }
    for rule in &headers.rules {
        rule.apply(response.headers_mut());
    }
    response
}

/// Refuses what a page of another origin has a browser change, with the password that the browser knows, unless `headers` let pages of
/// that origin use the API. Java asks nothing about that where a request has no body. Clients that are no browsers do not say where a
/// request comes from.
pub(super) async fn refuse_other_pages(State(headers): State<Option<Headers>>, request: Request, next: Next) -> Response {
    let given = request.headers();
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    let of_another = given.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site");
    let origins = headers.as_ref().and_then(|headers| headers.0.origins.as_ref());
    let is_let = || origins.zip(given.get(header::ORIGIN)).is_some_and(|(origins, origin)| origins.allows(origin));
    if changes && of_another && !is_let() {
        let message = "pages of other origins may not change anything here, unless access.control.allow.origin names theirs";
        return RestError::new(StatusCode::FORBIDDEN, message).into_response();
    }
    next.run(request).await
}

/// Adds a header that no client of Java's API minds: browsers are not to take an answer for something else than it says.
pub(super) async fn add_safe(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    response
}

/// The pages that browsers may let use the API.
#[derive(Debug)]
struct Origins {
    /// None for all.
    patterns: Option<Vec<Pattern>>,
    methods: HeaderValue,
    /// Whether `Authorization` may be sent.
    takes_tokens: bool,
}

/// The methods that are allowed unless they are given.
const METHODS: &str = "GET,POST,HEAD";

impl Origins {
    /// Reads `access.control.allow.origin` and `access.control.allow.methods`; None if no origin is given.
    fn parse(origins: &str, methods: &str) -> Result<Option<Self>, String> {
        let items = |text: &str| -> Vec<String> {
            text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
        };
        let origins = items(origins);
        if origins.is_empty() {
            return Ok(None);
        }
        let patterns = if origins.iter().any(|origin| origin == "*") {
            None
        } else {
            let compile = |origin: &String| Pattern::compile(&format!("(?i){origin}"));
            Some(origins.iter().map(compile).collect::<Result<_, _>>()?)
        };
        let methods = items(methods).join(",");
        let methods = if methods.is_empty() { METHODS } else { &methods };
        let methods = HeaderValue::from_str(methods).map_err(|_| format!("not methods: {methods}"))?;
        Ok(Some(Self { patterns, methods, takes_tokens: false }))
    }

    /// What an answer to a request has.
    fn answer(&self, method: &Method, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let mut answer = vec![(header::VARY, HeaderValue::from_static("Origin"))];
        let Some(origin) = headers.get(header::ORIGIN).filter(|origin| self.allows(origin)) else { return answer };
        answer.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
        if method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            let headers = if self.takes_tokens { "Content-Type,Authorization" } else { "Content-Type" };
            answer.extend([
                (header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone()),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(headers)),
                (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("60")),
            ]);
        }
        answer
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let Some(patterns) = &self.patterns else { return true };
        let matches = |origin: &str| patterns.iter().any(|pattern| pattern.matches(origin) == Ok(true));
        origin.to_str().is_ok_and(|origins| !origins.trim().is_empty() && origins.split_whitespace().all(matches))
    }
}

/// One header of all answers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    action: Action,
    name: HeaderName,
    value: HeaderValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// Unless the answer has it.
    Set,
    Add,
    /// The date so long after the answer's.
    SetDate(Duration),
    AddDate(Duration),
}

impl Rule {
    fn apply(&self, to: &mut HeaderMap) {
        let date = |after: Duration| {
            let date = httpdate::fmt_http_date(SystemTime::now() + after);
            HeaderValue::from_str(&date).unwrap_or_else(|_| self.value.clone())
        };
        let value = match self.action {
            Action::Set | Action::Add => self.value.clone(),
            Action::SetDate(after) | Action::AddDate(after) => date(after),
        };
        match self.action {
            Action::Set | Action::SetDate(_) => {
                to.entry(&self.name).or_insert(value);
            }
            Action::Add | Action::AddDate(_) => {
                to.append(&self.name, value);
            }
        }
    }
}

/// Checks a value of `access.control.allow.origin`.
///
/// # Errors
/// Why it is none.
pub(crate) fn check_origins(text: &str) -> Result<(), String> {
    Origins::parse(text, "").map(|_| ())
}

/// Checks a value of `access.control.allow.methods`.
///
/// # Errors
/// Why it is none.
pub(crate) fn check_methods(text: &str) -> Result<(), String> {
    Origins::parse("*", text).map(|_| ())
}

/// Checks a value of `response.http.headers.config`.
///
/// # Errors
/// Java's words.
pub(crate) fn check_rules(text: &str) -> Result<(), String> {
    rules(text).map(|_| ())
}

/// Reads `response.http.headers.config`: `[action] [header name]:[header value]`, separated by commas, each in quotes if need be.
fn rules(text: &str) -> Result<Vec<Rule>, String> {
    if text.trim().is_empty() { Ok(Vec::new()) } else { items(text).iter().map(|item| rule(item)).collect() }
}

fn rule(text: &str) -> Result<Rule, String> {
    let format = || format!("Invalid format of header config '{text}'. Expected: '[action] [header name]:[header value]'");
    let (action, header) = text.trim().split_once(char::is_whitespace).ok_or_else(format)?;
    const ACTIONS: [&str; 4] = ["set", "add", "setDate", "addDate"];
    let known = ACTIONS.iter().find(|known| known.eq_ignore_ascii_case(action));
    let action =
        known.ok_or_else(|| format!("Invalid header config action: '{action}'. Expected one of [{}]", ACTIONS.join(", ")))?;
    let header = header.trim();
    let pair =
        || format!("Invalid format of header name and header value pair '{header}'. Expected: '[header name]:[header value]'");
    let (name, value) = header.split_once(':').filter(|(_, value)| !value.is_empty() && !value.contains(':')).ok_or_else(pair)?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!("Invalid header name '{name}'. The '[header name]' cannot contain whitespace"));
    }
    let number = || value.parse().map(Duration::from_millis).map_err(|_| format!("not milliseconds: '{value}'"));
    let action = match *action {
        "set" => Action::Set,
        "add" => Action::Add,
        "setDate" => Action::SetDate(number()?),
        _ => Action::AddDate(number()?),
    };
    let name = name.parse().map_err(|_| format!("Invalid header name '{name}'"))?;
    Ok(Rule { action, name, value: value.parse().map_err(|_| pair())? })
}

/// Takes a list apart at its commas, those in quotes left alone; quotes around an item go.
fn items(text: &str) -> Vec<String> {
    let (mut items, mut quoted) = (vec![String::new()], false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let item = items.last_mut();
        match (c, item) {
            ('"', _) => quoted = !quoted,
            (',', _) if !quoted => items.push(String::new()),
            ('\\', Some(item)) if quoted => item.extend(chars.next()),
            (c, Some(item)) => item.push(c),
            (_, None) => {}
        }
    }
    items.into_iter().map(|item| item.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(origins: &Origins, method: &Method, origin: Option<&str>, asks: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        }
        if asks {
            headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PUT"));
        }
        let answer = origins.answer(method, &headers);
        answer.into_iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect()
    }

    #[test]
    fn pages_of_allowed_origins_are_answered_as_jetty_does() {
        let parse = |origins: &str, methods: &str| Origins::parse(origins, methods).expect("good").expect("some");
        let some = parse("http://.*\\.ok, http://b", "GET,PUT");
        assert_eq!(answer(&some, &Method::GET, None, false), ["vary: Origin"]);
        assert_eq!(answer(&some, &Method::GET, Some("http://bad"), false), ["vary: Origin"]);
        let of_ok = ["vary: Origin", "access-control-allow-origin: HTTP://x.OK"];
        assert_eq!(answer(&some, &Method::GET, Some("HTTP://x.OK"), true), of_ok);
        assert_eq!(answer(&some, &Method::OPTIONS, Some("HTTP://x.OK"), false), of_ok);
        let asked = answer(&some, &Method::OPTIONS, Some("http://b"), true);
        assert_eq!(
            asked[2..],
            ["access-control-allow-methods: GET,PUT", "access-control-allow-headers: Content-Type", "access-control-max-age: 60"]
        );
        let all = parse("http://b,*", "");
        let asked = answer(&all, &Method::OPTIONS, Some("http://c"), true);
        assert_eq!(asked[1..3], ["access-control-allow-origin: http://c", "access-control-allow-methods: GET,POST,HEAD"]);
        let mut tokens = parse("*", "");
        tokens.takes_tokens = true;
        let asked = answer(&tokens, &Method::OPTIONS, Some("http://c"), true);
        assert_eq!(asked[3], "access-control-allow-headers: Content-Type,Authorization");
        assert!(Origins::parse(" ", "GET").is_ok_and(|none| none.is_none()));
        assert!(check_origins("http://(").is_err() && check_methods("A\nB").is_err());
    }

    #[test]
    fn rules_are_jettys() {
        let rules = rules("add Cache-Control: no-cache, \"set X-A: 1,2\", addDate Expires: 3600000").expect("three rules");
        let mut headers = HeaderMap::new();
        headers.insert("x-a", HeaderValue::from_static("own"));
        headers.insert("cache-control", HeaderValue::from_static("own"));
        rules.iter().for_each(|rule| rule.apply(&mut headers));
        assert_eq!((headers["x-a"].as_bytes(), headers.get_all("cache-control").iter().count()), (&b"own"[..], 2));
        assert!(headers["expires"].as_bytes().ends_with(b" GMT"), "{headers:?}");
        headers.remove("x-a");
        rules[1].apply(&mut headers);
        assert_eq!(headers["x-a"], "1,2");
    }

    #[test]
    fn bad_rules_are_refused_in_javas_words() {
        for (text, expected) in [
            ("set", "Invalid format of header config 'set'. Expected: '[action] [header name]:[header value]'"),
            ("put X-A: 1", "Invalid header config action: 'put'. Expected one of [set, add, setDate, addDate]"),
            (
                "set X-A 1",
                "Invalid format of header name and header value pair 'X-A 1'. Expected: '[header name]:[header value]'",
            ),
            (
                "set X-A:b:c",
                "Invalid format of header name and header value pair 'X-A:b:c'. Expected: '[header name]:[header value]'",
            ),
            ("set X A: 1", "Invalid header name 'X A'. The '[header name]' cannot contain whitespace"),
            ("setDate X-A: soon", "not milliseconds: 'soon'"),
        ] {
            assert_eq!(check_rules(text), Err(expected.to_owned()));
        }
        assert_eq!((check_rules(""), check_rules(" ")), (Ok(()), Ok(())));
    }
}
