//! Parses `sasl.jaas.config`, as `org.apache.kafka.common.security.JaasConfig` and `JaasContext` (4.3.1) do.
//!
//! It takes more than Java does: values without quotes may have any characters but space, quote, `=` and `;`.

use std::collections::BTreeMap;
use std::fmt;

/// A login module with its options, secrets among them.
#[derive(PartialEq, Eq)]
pub(super) struct Login {
    /// The name of the class.
    pub(super) class: String,
    pub(super) options: BTreeMap<String, String>,
}

impl fmt::Debug for Login {
    /// Without values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("class", &self.class).field("options", &self.options.keys()).finish()
    }
}

impl Login {
    /// The name of the class without its package.
    pub(super) fn simple(&self) -> &str {
        self.class.rsplit(['.', '$']).next().unwrap_or_default()
    }

    /// Reads `class flag option=value option="value" …;`, of which there has to be one.
    ///
    /// # Errors
    /// What is wrong with it. Only names of options are in it, and what stands where a flag should.
    pub(super) fn parse(config: &str) -> Result<Self, String> {
        let mut tokens = Tokens { rest: config };
        let Some(first) = tokens.next()? else { return Err("Login module not specified in JAAS config".into()) };
        let login = Self::entry(first, &mut tokens)?;
        let mut modules = 1;
        while let Some(first) = tokens.next()? {
            Self::entry(first, &mut tokens)?;
            modules += 1;
        }
        if modules > 1 {
            return Err(format!("JAAS config property contains {modules} login modules, should be 1 module"));
        }
        Ok(login)
    }

    fn entry(first: Token, tokens: &mut Tokens<'_>) -> Result<Self, String> {
        const UNENDED: &str = "JAAS config entry not terminated by semi-colon";
        const FLAGS: &[&str] = &["REQUIRED", "REQUISITE", "SUFFICIENT", "OPTIONAL"];
        let Token::Text(class) = first else { return Err("Login module not specified in JAAS config".into()) };
        match tokens.next()? {
            None => return Err("Login module control flag not specified in JAAS config".into()),
            Some(Token::Text(flag)) if FLAGS.iter().any(|known| known.eq_ignore_ascii_case(&flag)) => {}
            // It may be the name of an option; a value stands behind a name.
            Some(Token::Text(flag)) if flag.len() <= 40 => {
                return Err(format!("Invalid login module control flag '{flag}' in JAAS config"));
            }
            Some(_) => return Err("Login module control flag is not available in the JAAS config".into()),
        }
        let mut options = BTreeMap::new();
        loop {
            let key = match tokens.next()? {
                Some(Token::End) => return Ok(Self { class, options }),
                Some(Token::Text(key)) => key,
                Some(Token::Equals) => return Err("there is '=' without an option before it in the JAAS config".into()),
                None => return Err(UNENDED.into()),
            };
            let equals = tokens.next()?;
            match (equals, tokens.next()?) {
                (Some(Token::Equals), Some(Token::Text(value))) => options.insert(key, value),
                // What stands without '=' may be a part of a value whose quotes are wrong.
                (Some(Token::Equals), _) => return Err(format!("Value not specified for key '{key}' in JAAS config")),
                _ => return Err("Value not specified for a key in JAAS config: are its quotes in place?".into()),
            };
        }
    }
}

enum Token {
    Text(String),
    Equals,
    End,
}

struct Tokens<'a> {
    rest: &'a str,
}

impl Tokens<'_> {
    fn next(&mut self) -> Result<Option<Token>, String> {
        self.skip();
        let mut chars = self.rest.char_indices();
        let Some((_, first)) = chars.next() else { return Ok(None) };
        match first {
            '=' | ';' => {
                self.rest = chars.as_str();
                Ok(Some(if first == '=' { Token::Equals } else { Token::End }))
            }
            '"' | '\'' => self.quoted(first).map(Some),
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '=' | ';' | '"');
                let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
                self.rest = rest;
                Ok(Some(Token::Text(word.to_owned())))
            }
        }
    }

    /// Past spaces and comments.
    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            let end = if self.rest.starts_with("//") {
                self.rest.find('\n')
            } else if self.rest.starts_with("/*") {
                self.rest.find("*/").map(|at| at + 2)
            } else {
                return;
            };
            self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
        }
    }

    /// Text up to the quote that it begins with. A backslash stands before what is not itself, as in Java's `StreamTokenizer`.
    fn quoted(&mut self, quote: char) -> Result<Token, String> {
        let mut text = String::new();
        let mut chars = self.rest[quote.len_utf8()..].chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    None => break,
                    Some(digit @ '0'..='7') => {
                        let mut code = u32::from(digit) - u32::from('0');
                        let most = if digit <= '3' { 2 } else { 1 };
                        for _ in 0..most {
                            let Some(next) = chars.peek().and_then(|c| c.to_digit(8)) else { break };
                            code = code * 8 + next;
                            chars.next();
                        }
                        text.extend(char::from_u32(code));
                    }
                    Some('a') => text.push('\u{7}'),
                    Some('b') => text.push('\u{8}'),
                    Some('f') => text.push('\u{C}'),
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some('v') => text.push('\u{B}'),
                    Some(other) => text.push(other),
                },
                // A quote that is not ended ends with its line.
                '\n' | '\r' => break,
                c if c == quote => {
                    let left: usize = chars.map(char::len_utf8).sum();
                    self.rest = &self.rest[self.rest.len() - left..];
                    return Ok(Token::Text(text));
                }
                c => text.push(c),
            }
        }
        Err("a quoted value is not ended in the JAAS config".into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options(config: &str) -> BTreeMap<String, String> {
        Login::parse(config).expect(config).options
    }

    #[test]
    fn a_login_module_has_options() {
        let login = Login::parse(
            "org.apache.kafka.common.security.plain.PlainLoginModule // who it is\n  Required /* and */ username='al ice' \
             password=\"hun\\\"t\\\\er22;\\u0041=\\101\\n\" n=7 \"quoted key\" = a/b:c;\n",
        );
        let login = login.expect("a login");
        assert_eq!(login.simple(), "PlainLoginModule");
        let wanted = [("n", "7"), ("password", "hun\"t\\er22;u0041=A\n"), ("quoted key", "a/b:c"), ("username", "al ice")];
        assert_eq!(login.options, wanted.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert!(!format!("{login:?}").contains("hun"));
        assert!(options("a.B required;").is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_without_values() {
        for (config, why) in [
            ("", "Login module not specified in JAAS config"),
            ("  // nothing", "Login module not specified in JAAS config"),
            (";", "Login module not specified in JAAS config"),
            ("a.B", "Login module control flag not specified in JAAS config"),
            ("a.B;", "Login module control flag is not available in the JAAS config"),
            ("a.B maybe x=1;", "Invalid login module control flag 'maybe' in JAAS config"),
            ("a.B required password=hunter", "JAAS config entry not terminated by semi-colon"),
            ("a.B required", "JAAS config entry not terminated by semi-colon"),
            ("a.B required password=;", "Value not specified for key 'password' in JAAS config"),
            ("a.B required password=\"hun\"ter\";", "a quoted value is not ended in the JAAS config"),
            ("a.B required password=\"hunter;", "a quoted value is not ended in the JAAS config"),
            ("a.B required password=\"hunter\\", "a quoted value is not ended in the JAAS config"),
            ("a.B required ='hunter';", "there is '=' without an option before it in the JAAS config"),
            ("a.B required p=1; c.D required p=2;", "JAAS config property contains 2 login modules, should be 1 module"),
        ] {
            let said = Login::parse(config).expect_err(config);
            assert_eq!(said, why, "{config}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(config in "[a-z.;=\"'\\\\/* \n\u{e9}0-9]{0,60}") {
            let _ = Login::parse(&config);
        }

        #[test]
        fn what_is_quoted_comes_out(value in "[^\n\r]{0,20}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(&options(&format!("a.B required v=\"{quoted}\";"))["v"], &value);
        }
    }
}
