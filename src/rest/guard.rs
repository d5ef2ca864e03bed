//! Who may do what: users by their passwords or tokens, the roles that they have, and what needs which.
//!
//! | role | may |
//! |---|---|
//! | reader | `GET`, `HEAD` and `OPTIONS` of everything |
//! | operator | also validate a configuration; see the first rows of a landed file; pause, resume, stop and restart a connector, restart a task, reset its list of topics |
//! | admin | everything: create, change and delete connectors, alter and reset offsets, set levels of loggers |
//!
//! Requests of workers to each other are signed instead, and let through. As in Java, what is no resource is said to be none to anybody.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::RestError;
use super::basic::Users;
use super::bearer::{Bearer, NotTaken};
use crate::config::WorkerConfig;
use crate::herder::Herder;

/// What somebody may do; each role may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Reader,
    /// Also pause, resume, stop and restart what there is.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// Its name, as in `landfall.rest.role.<name>`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who makes a request; an extension of each that reaches a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name of a user, of an application, or `anonymous` where nobody is asked for one.
    pub name: String,
    /// What the principal may do.
    pub role: Role,
}

/// Who made a request, on its answer: also of one that was refused for the lack of a role.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) name: String,
    pub(super) role: Option<Role>,
}

/// Lets users in, and says what each may do.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it knows what proves who users are")]
pub struct Guard(Arc<Inner>);

#[derive(Default)]
struct Inner {
    basic: Option<Users>,
    bearer: Option<Bearer>,
    /// Who has a role, each with its role; None where everybody whom the guard knows may do everything.
    roles: Option<Vec<(String, Role)>>,
    read_only: bool,
    open: Vec<String>,
    /// Whether the listeners of the admin API are guarded too.
    everywhere: bool,
}

impl Guard {
    /// The guard that the worker's properties ask for, with the users of now.
    ///
    /// # Errors
    /// Nothing says who the users are, or a file with it cannot be read.
    pub fn of(config: &WorkerConfig) -> Result<Self, String> {
        let (keys, access) = (&config.keys, &config.access);
        let has_extension = keys.rest_extension_classes.iter().any(|class| !class.is_empty());
        let basic = if has_extension || access.has_basic() { Some(Users::of(keys, !access.has_basic())?) } else { None };
        let bearer = if access.has_bearer() { Some(Bearer::of(access)?) } else { None };
        let of = |who: &[String], role: Role| who.iter().map(|who| (who.clone(), role)).collect::<Vec<_>>();
        let roles = [of(&access.reader, Role::Reader), of(&access.operator, Role::Operator), of(&access.admin, Role::Admin)];
        Ok(Self(Arc::new(Inner {
            basic,
            bearer,
            roles: access.has_roles().then(|| roles.concat()),
            read_only: access.read_only,
            open: access.open_paths.clone(),
            everywhere: !access.auth.is_empty(),
        })))
    }

    /// A guard that lets everybody in.
    #[must_use]
    pub fn open() -> Self {
        Self(Arc::default())
    }

    /// The guard of listeners that have the admin API alone. As in Java an extension does not guard them.
    #[must_use]
    pub fn of_admin_listeners(&self) -> Self {
        if self.0.everywhere { self.clone() } else { Self(Arc::new(Inner { read_only: self.0.read_only, ..Inner::default() })) }
    }

    /// The guard of the page's own files: a browser can ask its user for a password before it has them, and for a token only after.
    pub(super) fn of_page(&self) -> Self {
        if self.0.bearer.is_some() { Self::open() } else { self.clone() }
    }

    /// Whether pages of other origins have to send `Authorization`, which browsers ask for.
    pub(super) fn takes_tokens(&self) -> bool {
        self.0.bearer.is_some()
    }

    /// Who makes a request with these headers; the answer to give instead where nobody is known who does.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<Asker, Response> {
        let (basic, bearer) = (self.0.basic.as_ref(), self.0.bearer.as_ref());
        if bearer.is_none() && basic.is_none_or(Users::lets_everybody_in) {
            return Ok(Asker { name: "anonymous".to_owned(), role: Some(Role::Admin) });
        }
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split_once(' '));
        match (given, basic, bearer) {
            (Some((scheme, encoded)), Some(users), _) if scheme.eq_ignore_ascii_case("basic") => {
                let name = users.name_of(encoded).ok_or_else(|| self.unknown(None))?;
                let role = self.role_of(std::slice::from_ref(&name));
                Ok(Asker { name, role })
            }
            (Some((scheme, token)), _, Some(bearer)) if scheme.eq_ignore_ascii_case("bearer") => {
                match bearer.verify(token.trim()).await {
                    Ok(said) => Ok(Asker { role: self.role_of(&said.roles), name: said.name }),
                    Err(NotTaken::Invalid(why)) => Err(self.unknown(Some(&why))),
                    Err(NotTaken::Unavailable(why)) => {
                        let message = format!("tokens cannot be looked at just now: {why}");
                        Err(RestError::new(StatusCode::SERVICE_UNAVAILABLE, message).into_response())
                    }
                }
            }
            _ => Err(self.unknown(None)),
        }
    }

    fn role_of(&self, names: &[String]) -> Option<Role> {
        match &self.0.roles {
            Some(roles) => roles.iter().filter(|(who, _)| names.contains(who)).map(|(_, role)| *role).max(),
            None => Some(Role::Admin),
        }
    }

    /// 401, with what to come with; `why` is what is wrong with a token.
    fn unknown(&self, why: Option<&str>) -> Response {
        let error = RestError::new(StatusCode::UNAUTHORIZED, "User cannot access the resource.");
        let error = match why {
            Some(why) => {
                RestError { message: format!("User cannot access the resource: the token is not taken, {why}"), ..error }
            }
            None => error,
        };
        let mut refused = error.into_response();
        if self.0.basic.is_some() {
            let challenge = HeaderValue::from_static("Basic realm=\"Kafka Connect\", charset=\"UTF-8\"");
            refused.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
        }
        if self.0.bearer.is_some() {
            let error = why.map(|why| format!(", error=\"invalid_token\", error_description=\"{why}\"")).unwrap_or_default();
            if let Ok(challenge) = HeaderValue::from_str(&format!("Bearer realm=\"Kafka Connect\"{error}")) {
                refused.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        refused
    }
}

/// Lets a request through that a user may make, or another worker.
pub(super) async fn check(State((guard, herder)): State<(Guard, Herder)>, mut request: Request, next: Next) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let is_open = [Method::GET, Method::HEAD].contains(method) && guard.0.open.iter().any(|open| open == path);
    let needed = needed(method, path);
    // Alone there are no other workers.
    let (needed, is_internal) = match needed {
        Needed::Signature => (Role::Admin, herder.peers().is_some()),
        Needed::Role(role) => (role, false),
    };
    let asker = if is_open {
        Asker { name: "anonymous".to_owned(), role: Some(Role::Reader) }
    } else if is_internal {
        Asker { name: "a worker of the cluster".to_owned(), role: Some(Role::Admin) }
    } else {
        match guard.admit(request.headers()).await {
            Ok(asker) => asker,
            Err(refused) => return refused,
        }
    };
    let changes = needed > Role::Reader && !is_validation(path) && !is_preview(path);
    let mut response = match asker.role {
        Some(role) if role >= needed => {
            if guard.0.read_only && changes && !is_internal {
                let message =
                    "This worker is read-only (landfall.rest.read.only=true): the API shows connectors and does not change them";
                RestError::new(StatusCode::FORBIDDEN, message).into_response()
            } else {
                request.extensions_mut().insert(Principal { name: asker.name.clone(), role });
                next.run(request).await
            }
        }
        role => {
            let has = role.map_or_else(|| "has no role here".to_owned(), |role| format!("is {role}"));
            let message = format!("User cannot access the resource: it needs the role {needed}, and {} {has}", asker.name);
            RestError::new(StatusCode::FORBIDDEN, message).into_response()
        }
    };
    response.extensions_mut().insert(asker);
    response
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    Role(Role),
    /// Workers make it of each other and sign it.
    Signature,
}

pub(super) fn needed(method: &Method, path: &str) -> Needed {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return Needed::Role(if is_preview(path) { Role::Operator } else { Role::Reader });
    }
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["connectors", _, "tasks"] if method == Method::POST => Needed::Signature,
        ["connectors", _, "fence"] if method == Method::PUT => Needed::Signature,
        ["connectors", _, "pause" | "resume" | "stop" | "restart"]
        | ["connectors", _, "tasks", _, "restart"]
        | ["connectors", _, "topics", "reset"] => Needed::Role(Role::Operator),
        _ if is_validation(path) => Needed::Role(Role::Operator),
        _ => Needed::Role(Role::Admin),
    }
}

/// Whether something is only looked at, although not by GET.
fn is_validation(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    matches!(parts.as_slice(), ["connector-plugins", _, "config", "validate"])
}

/// Whether rows that have landed are asked for.
fn is_preview(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    matches!(parts.as_slice(), ["ui", "api", "connectors", _, "files", ..] if parts.len() > 5)
}

/// Whether a request is one that workers make of each other.
pub(super) fn is_internal(method: &Method, path: &str) -> bool {
    needed(method, path) == Needed::Signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_it_should() {
        let role = |role| Needed::Role(role);
        for (method, path, expected) in [
            (Method::GET, "/connectors/c/config", role(Role::Reader)),
            (Method::HEAD, "/metrics", role(Role::Reader)),
            (Method::GET, "/connectors/c/tasks", role(Role::Reader)),
            (Method::GET, "/ui/api/connectors/c/files", role(Role::Reader)),
            (Method::GET, "/ui/api/connectors/c/files/0/7", role(Role::Operator)),
            (Method::HEAD, "/ui/api/connectors/c/files/0/7/", role(Role::Operator)),
            (Method::PUT, "/connector-plugins/C/config/validate", role(Role::Operator)),
            (Method::PUT, "/connectors/c/pause", role(Role::Operator)),
            (Method::POST, "/connectors/c/restart", role(Role::Operator)),
            (Method::POST, "/connectors/c/tasks/0/restart", role(Role::Operator)),
            (Method::PUT, "/connectors/c/topics/reset", role(Role::Operator)),
            (Method::PUT, "/connectors/c/config", role(Role::Admin)),
            (Method::POST, "/connectors", role(Role::Admin)),
            (Method::DELETE, "/connectors/pause", role(Role::Admin)),
            (Method::DELETE, "/connectors/c/offsets", role(Role::Admin)),
            (Method::PUT, "/admin/loggers/root", role(Role::Admin)),
            (Method::PUT, "/what/there/never/was", role(Role::Admin)),
            (Method::POST, "/connectors/c/tasks", Needed::Signature),
            (Method::POST, "/connectors/c/tasks/", Needed::Signature),
            (Method::PUT, "/connectors/c/fence", Needed::Signature),
        ] {
            assert_eq!(needed(&method, path), expected, "{method} {path}");
        }
        assert!(Role::Reader < Role::Operator && Role::Operator < Role::Admin);
    }
}
