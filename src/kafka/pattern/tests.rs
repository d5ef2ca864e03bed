use super::*;

/// What `Pattern.compile(p).matcher(name).matches()` of the JDK named in it says of every name (1 or 0), or why it does not compile
/// the pattern: patterns that people write, and some hundred that chance has put together.
const JAVA: &str = include_str!("java.json");

/// How a recorded answer and ours differ, if they do. What is not supported is told so.
fn difference(pattern: &str, java: &str, names: &[&str]) -> Option<String> {
    let ours = match Pattern::compile(pattern) {
        Ok(pattern) => names.iter().map(|name| if pattern.matches(name).unwrap_or(false) { '1' } else { '0' }).collect(),
        Err(error) if error.contains("is not supported here") => return None,
        Err(error) => error,
    };
    (ours != java).then(|| format!("{pattern:?}\n  java {java:?}\n  ours {ours:?}"))
}

#[test]
fn names_match_as_they_do_in_java() {
    let table: serde_json::Value = serde_json::from_str(JAVA).expect("JSON");
    let names: Vec<_> = table["names"].as_array().expect("names").iter().filter_map(serde_json::Value::as_str).collect();
    let cases = table["patterns"].as_array().expect("patterns");
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| difference(case[0].as_str().expect("a pattern"), case[1].as_str().expect("an answer"), &names))
        .collect();
    assert!(cases.len() > 600 && wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_is_not_supported_is_named() {
    for (pattern, what) in [
        (r"\p{InGreek}", r"\p{InGreek}"),
        (r"a|\p{IsCyrillic}+", r"\p{IsCyrillic}"),
        (r"\p{script=Han}", r"\p{script=Han}"),
        (r"\X", r"\X"),
        (r"\b{g}", r"\b{g}"),
        (r"\N{LATIN SMALL LETTER A}", r"\N{…}"),
    ] {
        let error = Pattern::compile(pattern).expect_err(pattern);
        assert!(error.starts_with(&format!("{what} is not supported here")), "{error}");
    }
    let deep = "(".repeat(200) + &")".repeat(200);
    assert!(Pattern::compile(&deep).expect_err("deep").starts_with("Nesting of more than 100 levels is not supported"));
    assert!(Pattern::compile(&"a".repeat(20_001)).expect_err("long").contains("not supported"));
}

#[test]
fn a_pattern_that_would_try_for_ever_is_an_error_that_names_it() {
    let long = "a".repeat(249);
    let quick = [r"(a+)+b", r"(a*)*b", r"((a+)*)*[^a]", r"(a|a)*b", r"(.*)(.*)(.*)b", r"(a{1,9}){1,9}b"];
    for pattern in quick {
        assert_eq!(Pattern::compile(pattern).expect("valid").matches(&long), Ok(false), "{pattern}");
    }
    for pattern in [r"(a+)+\1b", r"(a|a)*(x?)\2b"] {
        let error = Pattern::compile(pattern).expect("valid").matches(&long).expect_err(pattern);
        assert!(error.contains(pattern) && error.contains("takes more than") && error.contains(&long), "{error}");
    }
}

#[test]
fn no_name_beyond_ascii_matches() {
    assert_eq!(Pattern::compile("[^a]+").expect("valid").matches("é"), Ok(false));
}
