use std::fs;

use super::*;

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The providers `f`, `d` and `e`, with `more`.
fn providers(more: &[(&str, &str)]) -> (Providers, Faults, Vec<String>) {
    let base = [
        ("config.providers", "f, d,e"),
        ("config.providers.f.class", "org.apache.kafka.common.config.provider.FileConfigProvider"),
        ("config.providers.d.class", "DirectoryConfigProvider"),
        ("config.providers.e.class", "EnvVarConfigProvider"),
    ];
    let (mut faults, mut warnings) = (Faults::default(), Vec::new());
    let given = properties(&[&base[..], more].concat());
    let providers = Providers::configure(&given, &mut faults, &mut warnings);
    (providers, faults, warnings)
}

fn resolve(providers: &Providers, value: &str) -> String {
    providers.resolve(&properties(&[("k", value)])).map_or_else(|why| format!("error: {why}"), |r| r.properties["k"].clone())
}

#[test]
fn variables_are_found_as_javas_pattern_finds_them() {
    for (value, expected) in [
        ("${a:b}", "a||b"),
        ("x${a:b}y${c:d:e}z", "a||b c|d|e"),
        ("${a:b:c:d}", "a|b|c:d"),
        ("${a:}", "a||"),
        ("${:}", "||"),
        ("${a}", ""),
        ("${a} ${b:c}", "b||c"),
        ("${a ${b:c}}", "a ${b||c"),
        ("${${a:b}", "${a||b"),
        ("$${a:b}", "a||b"),
        ("${a:b", ""),
        ("", ""),
        ("ä${ö:ü}ß", "ö||ü"),
    ] {
        let (found, rest) = variables(value);
        let shown: Vec<_> = found.iter().map(|(_, v)| format!("{}|{}|{}", v.provider, v.path, v.key)).collect();
        assert_eq!(shown.join(" "), expected, "{value}");
        let again: String = found.iter().map(|(before, v)| format!("{before}{}", v.text)).chain([rest.to_owned()]).collect();
        assert_eq!(again, value);
    }
    assert!(is_variable("${f:/x:y}") && !is_variable("${f:/x:y}z") && !is_variable("a${f:y}") && !is_variable("${x}"));
    assert!(!is_variable("${a:b}${c:d}"));
}

#[test]
fn values_come_from_files_directories_and_the_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().to_str().expect("UTF-8");
    fs::write(folder.path().join("a.properties"), "user = ann\npass\\:word=p\\u00e4ss:w}\nmore=${f:x:y}\n").expect("written");
    fs::write(folder.path().join("token"), " pssst\n").expect("written");
    fs::create_dir(folder.path().join("sub")).expect("made");
    fs::write(folder.path().join("sub/inner"), "inner").expect("written");
    let (providers, faults, warnings) = providers(&[]);
    assert!(faults.is_empty(), "{faults:?}");
    let unlimited = |name| {
        format!(
            "The configuration 'config.providers.{name}.param.allowed.paths' is not given: connectors read whatever file the worker can \
             read, by ${{{name}:…}}"
        )
    };
    assert_eq!(warnings, ["d", "f"].map(unlimited));
    let file = format!("{root}/a.properties");
    for (value, expected) in [
        (format!("${{f:{file}:user}}"), "ann".to_owned()),
        (format!("${{f:{file}:user}}/${{f:{file}:pass:word}}!"), "ann/päss:w}!".to_owned()),
        // A value that has a variable is not looked into.
        (format!("${{f:{file}:more}}"), "${f:x:y}".to_owned()),
        (format!("${{f:{file}:none}}${{f:{file}:user}}"), format!("${{f:{file}:none}}ann")),
        ("${f:user}".to_owned(), "${f:user}".to_owned()),
        ("${nobody:a:b}".to_owned(), "${nobody:a:b}".to_owned()),
        (format!("<${{d:{root}:token}}>"), "< pssst\n>".to_owned()),
        (format!("${{d:{root}/sub:../token}}"), format!("${{d:{root}/sub:../token}}")),
        (format!("${{d:{root}:sub/inner}}"), format!("${{d:{root}:sub/inner}}")),
        (format!("${{d:{root}:sub}}"), format!("${{d:{root}:sub}}")),
        (format!("${{d:{root}/none:token}}"), format!("${{d:{root}/none:token}}")),
        ("${e:CARGO_MANIFEST_DIR}".to_owned(), std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")),
    ] {
        assert_eq!(resolve(&providers, &value), expected, "{value}");
    }
    let missing = resolve(&providers, &format!("${{f:{root}/none:user}}"));
    let why = format!(
        "error: Could not resolve ${{f:{root}/none:user}} for configuration k: Could not read properties from file {root}/none"
    );
    assert!(missing.starts_with(&why), "{missing}");
    fs::write(folder.path().join("a.properties"), "secret=hush\\u12\n").expect("written");
    let broken = resolve(&providers, &format!("${{f:{file}:secret}}"));
    assert!(broken.contains("a.properties:1: secret: Malformed") && !broken.contains("hush"), "{broken}");
}

#[test]
fn only_what_is_allowed_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().to_str().expect("UTF-8");
    fs::create_dir(folder.path().join("in")).expect("made");
    fs::write(folder.path().join("in/a"), "k=inside\n").expect("written");
    fs::write(folder.path().join("out"), "k=outside\n").expect("written");
    let inside = format!("{root}/in");
    let (providers, faults, _) = providers(&[
        ("config.providers.f.param.allowed.paths", &inside),
        ("config.providers.d.param.allowed.paths", &inside),
        ("config.providers.e.param.allowlist.pattern", "CARGO_PKG_.*"),
    ]);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(resolve(&providers, &format!("${{f:{root}/in/../in/a:k}}")), "inside");
    assert_eq!(resolve(&providers, &format!("${{d:{root}/in:a}}")), "k=inside\n");
    assert_eq!(resolve(&providers, "${e:CARGO_PKG_NAME}"), "landfall");
    for value in [format!("${{f:{root}/in/../out:k}}"), format!("${{d:{root}:out}}"), "${e:CARGO_MANIFEST_DIR}".into()] {
        assert_eq!(resolve(&providers, &value), value);
    }
}

#[test]
fn what_is_wrong_with_providers_names_the_key() {
    let (_, faults, warnings) = providers(&[
        ("config.providers.f.class", "com.example.VaultConfigProvider"),
        ("config.providers.d.param.allowed.paths", "/no/such"),
        ("config.providers.d.param.ttl.ms", "0"),
        ("config.providers.e.param.allowlist.pattern", "["),
        ("config.providers.e.param.allow", "x"),
        ("config.providers.g.class", "x"),
    ]);
    let faults: Vec<_> = faults.0.iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect();
    assert_eq!(faults.len(), 4, "{faults:#?}");
    let text = faults.join("\n");
    for part in [
        "config.providers.d.param.allowed.paths: Invalid value /no/such for configuration allowed.paths: Path /no/such does not exist",
        "config.providers.d.param.ttl.ms: Invalid value 0 for configuration ttl.ms: Value must be at least 1",
        "config.providers.e.param.allowlist.pattern: Invalid value [ for configuration allowlist.pattern: Unclosed character class",
        "config.providers.f.class: Invalid value com.example.VaultConfigProvider for configuration config.providers.f.class: Could not \
         load config provider class, there are AzureSecretProvider, DirectoryConfigProvider, EnvVarConfigProvider, \
         FileConfigProvider, KeyVaultConfigProvider",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(
        warnings,
        [
            "The configuration 'config.providers.e.param.allow' was supplied but isn't a known config.",
            "The configuration 'config.providers.g.class' has no effect: config.providers does not name its provider",
        ]
    );
    let (mut faults, given) = (Faults::default(), properties(&[("config.providers", "x")]));
    Providers::configure(&given, &mut faults, &mut Vec::new());
    assert_eq!(faults.to_string(), "Missing required configuration \"config.providers.x.class\" which has no default value.");
}

#[test]
fn values_that_live_for_a_time_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("t"), "v").expect("written");
    let (providers, ..) = providers(&[("config.providers.d.param.ttl.ms", "250"), ("config.providers.f.param.ttl.ms", "300")]);
    assert_eq!(providers.ttl(), Some(Duration::from_millis(250)));
    let ttl = |value: &str| providers.resolve(&properties(&[("k", value)])).expect("resolved").ttl;
    assert_eq!(ttl(&format!("${{d:{}:t}}", folder.path().display())), Some(Duration::from_millis(250)));
    assert_eq!(ttl(&format!("${{f:{}/t:v}}", folder.path().display())), Some(Duration::from_millis(300)));
    assert_eq!((ttl("${e:PATH}"), ttl("plain")), (None, None));
}

#[test]
fn what_was_provided_is_taken_out_of_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a"), "pw=pa\"ss,word2\nshort=7\n").expect("written");
    let (providers, ..) = providers(&[]);
    let path = folder.path().join("a");
    let given =
        properties(&[("pw", &format!("${{f:{}:pw}}", path.display())), ("n", &format!("${{f:{}:short}}", path.display()))]);
    let Resolved { provided, .. } = providers.resolve(&given).expect("resolved");
    assert_eq!(provided.hide("pa\"ss,word2 word2 7"), "[hidden] [hidden] 7");
    assert_eq!(provided.hide(&format!("{:?}", "pa\"ss")), "\"[hidden]\"");
    let mut faults = Faults::default();
    faults.push("n", "Invalid value 7");
    faults.push("other", "at least 7");
    provided.hide_in(&mut faults);
    assert_eq!(faults.to_string(), "Invalid value [hidden]\nat least 7");
    assert!(!format!("{provided:?}").contains("word2"));
}
