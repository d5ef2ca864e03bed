//! Which paths are looked at, and as what (Jetty 12.0 and Jersey 3.1, as in Kafka 4.3.1).
//!
//! What proxies and resources could read in two ways is refused before anything else looks at it: encoded dots, empty segments, controls.
//! Java refuses the same, with the same reasons, but in HTML. It refuses encoded slashes, backslashes and percent signs as well, and so
//! cannot find a connector again that it let somebody name with one. Here paths are matched as they are sent and each name is decoded
//! once, after that, so such a segment is a name and never two.

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::RestError;

/// The longest path with its query, in bytes: that of Java's request line.
const LONGEST: usize = 8192;

/// An extension of a request whose path has a slash at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlashAtEnd;

/// Refuses paths that are not to be trusted, and takes the others as Java does: a slash at the end and matrix parameters make no difference.
pub(super) async fn look(mut request: Request, next: Next) -> Response {
    match taken(request.uri()) {
        Ok(None) => {}
        Ok(Some(uri)) => {
            if request.uri().path().ends_with('/') {
                request.extensions_mut().insert(SlashAtEnd);
            }
            *request.uri_mut() = uri;
        }
        Err(error) => return error.into_response(),
    }
    next.run(request).await
}

/// The URI to go on with, if it is another one.
fn taken(uri: &Uri) -> Result<Option<Uri>, RestError> {
    if uri.path_and_query().is_some_and(|whole| whole.as_str().len() > LONGEST) {
        return Err(RestError::plain(StatusCode::URI_TOO_LONG));
    }
    let given = uri.path();
    check(given).map_err(|why| RestError::new(StatusCode::BAD_REQUEST, why))?;
    let segments: Vec<_> = given.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    let mut path = segments.join("/");
    if path.len() > 1 && path.ends_with('/') {
        path.pop();
    }
    if path == given {
        return Ok(None);
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let malformed = |_| RestError::plain(StatusCode::BAD_REQUEST);
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{path}{query}").parse().map_err(malformed)?);
    Uri::from_parts(parts).map(Some).map_err(|_| RestError::plain(StatusCode::BAD_REQUEST))
}

/// Why a path could be read in two ways, in Jetty's words.
fn check(path: &str) -> Result<(), &'static str> {
    let last = path.split('/').count() - 1;
    for (place, segment) in path.split('/').enumerate() {
        if segment.is_empty() && place > 0 && place < last {
            return Err("Ambiguous URI empty segment");
        }
        let (name, has_parameters) = segment.split_once(';').map_or((segment, false), |(name, _)| (name, true));
        let decoded = decoded(name)?;
        if matches!(decoded.as_slice(), b"." | b"..") {
            if has_parameters {
                return Err("Ambiguous URI path parameter");
            }
            if decoded.len() != name.len() {
                return Err("Ambiguous URI path segment");
            }
        }
        if decoded.contains(&0) {
            return Err("HTTP 400 Bad Request");
        }
        if decoded.iter().any(u8::is_ascii_control) {
            return Err("Suspicious Path Character");
        }
        std::str::from_utf8(&decoded).map_err(|_| "Bad UTF-8 encoding")?;
    }
    Ok(())
}

/// The text that a segment of a path stands for.
pub(super) fn text(segment: &str) -> String {
    decoded(segment).map_or_else(|_| segment.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The bytes that a segment stands for.
fn decoded(segment: &str) -> Result<Vec<u8>, &'static str> {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                let value = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value.ok_or("HTTP 400 Bad Request")?
            }
            byte => byte,
        });
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from a worker of Kafka 4.3.1.
    #[test]
    fn what_could_be_read_in_two_ways_is_refused_in_jettys_words() {
        for (path, why) in [
            ("/connectors/%2e%2e/connectors", "Ambiguous URI path segment"),
            ("/connectors/.%2E", "Ambiguous URI path segment"),
            ("/connectors/%00", "HTTP 400 Bad Request"),
            ("/connectors/a%00b", "HTTP 400 Bad Request"),
            ("//connectors", "Ambiguous URI empty segment"),
            ("/connectors//", "Ambiguous URI empty segment"),
            ("/connectors/%", "HTTP 400 Bad Request"),
            ("/connectors/%zz", "HTTP 400 Bad Request"),
            ("/connectors/%ff", "Bad UTF-8 encoding"),
            ("/connectors/a%0Ab", "Suspicious Path Character"),
            ("/connectors/%7F", "Suspicious Path Character"),
            ("/connectors/..;/connectors", "Ambiguous URI path parameter"),
            ("/connectors/.;a", "Ambiguous URI path parameter"),
        ] {
            let error = taken(&path.parse().expect("a URI")).expect_err(path);
            assert_eq!((error.status.as_u16(), &*error.message), (400, why), "{path}");
        }
        let long = format!("/connectors/{}", "a".repeat(LONGEST));
        assert_eq!(taken(&long.parse().expect("a URI")).map_err(|error| error.status.as_u16()), Err(414));
    }

    #[test]
    fn slashes_at_the_end_and_matrix_parameters_make_no_difference() {
        for (path, expected) in [
            ("/", None),
            ("/connectors/", Some("/connectors")),
            ("/connectors/a;b=c?x=//y", Some("/connectors/a?x=//y")),
            ("/connectors;v=1/a%3Bb/", Some("/connectors/a%3Bb")),
            ("/connectors/%C3%A4%20b", None),
            ("/connectors?a=%2F", None),
            ("/connectors/a%2Fb%25%5C", None),
            ("/connectors/..", None),
        ] {
            let taken = taken(&path.parse().expect("a URI")).expect(path);
            assert_eq!(taken.map(|uri| uri.to_string()).as_deref(), expected, "{path}");
        }
    }
}
