//! Reads KCQL as the sinks of `io.lenses.streamreactor` (11.x) write it: `INSERT INTO … SELECT * FROM … PARTITIONBY … STOREAS … PROPERTIES(…)`.
//!
//! Clauses stand in the order of the language's grammar. What the Data Lake sink of Lenses parses and does nothing with is refused
//! with the reason.

use std::collections::BTreeMap;
use std::fmt;

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// As it was written, without blanks around it.
    pub text: String,
    /// The container.
    pub container: String,
    /// The folder in the container, without a slash after it; None for the container itself.
    pub prefix: Option<String>,
    /// The topic; None for all.
    pub topic: Option<String>,
    /// How records come to folders.
    pub partitions: Partitions,
    /// The format, in upper case, if it is given.
    pub store_as: Option<String>,
    /// The entries of `PROPERTIES`, by their names in lower case.
    pub properties: BTreeMap<String, String>,
}

/// How records come to folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partitions {
    /// A folder for each topic and in it one for each Kafka partition.
    Default,
    /// `NOPARTITION`: no folders.
    None,
    /// `PARTITIONBY`: a folder in the other for each of these, with their backquotes: `_date.`, `_header.` and so on.
    By(Vec<String>),
}

/// Why a statement cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The statement.
    pub statement: String,
    /// The reason.
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in: {}", self.why, self.statement)
    }
}

/// The statements in `text`, which semicolons part.
///
/// # Errors
/// Each statement that cannot be taken; or there is none.
pub fn parse(text: &str) -> Result<Vec<Statement>, Vec<Refused>> {
    let (mut statements, mut refused) = (Vec::new(), Vec::new());
    for text in split(text) {
        match tokens(text).and_then(|tokens| Parser { tokens, at: 0 }.statement(text)) {
            Ok(statement) => statements.push(statement),
            Err(why) => refused.push(Refused { statement: text.to_owned(), why }),
        }
    }
    if statements.is_empty() && refused.is_empty() {
        refused.push(Refused { statement: text.to_owned(), why: "there is no statement".into() });
    }
    if refused.is_empty() { Ok(statements) } else { Err(refused) }
}

/// The parts of `text` between semicolons outside of quotes, without blank ones.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quote = None;
    let parts = text.split(move |c: char| {
        match (quote, c) {
            (None, '\'' | '`') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        quote.is_none() && c == ';'
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// A word keeps the backquotes in it: points between them part no path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(char),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Symbol(symbol) => write!(f, "{symbol}"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.trim_start().chars().next() {
        rest = rest.trim_start();
        if c == '\'' {
            let Some(end) = rest[1..].find('\'') else { return Err("a quote is not closed".into()) };
            tokens.push(Token::Text(rest[1..=end].to_owned()));
            rest = &rest[end + 2..];
        } else if "(),=*".contains(c) {
            tokens.push(Token::Symbol(c));
            rest = &rest[1..];
        } else {
            let end = word(rest)?;
            if end == 0 {
                return Err(format!("{c:?} means nothing"));
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    Ok(tokens)
}

/// Where the word that `text` begins with ends.
fn word(text: &str) -> Result<usize, String> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '`' => quoted = !quoted,
            _ if quoted || c.is_ascii_alphanumeric() || "_@-+/{}:.".contains(c) => {}
            _ => return Ok(at),
        }
    }
    if quoted { Err("a backquote is not closed".into()) } else { Ok(text.len()) }
}

/// Clauses of the language that Lenses' file sinks do nothing with.
const IDLE: &[&str] = &[
    "IGNORE",
    "AUTOCREATE",
    "WITHSTRUCTURE",
    "PK",
    "WITHTARGET",
    "AUTOEVOLVE",
    "BATCH",
    "WITHTIMESTAMP",
    "TIMESTAMPUNIT",
    "WITHFORMAT",
    "WITHUNWRAP",
    "WITHTAG",
    "INCREMENTALMODE",
    "WITHTYPE",
    "WITHDOCTYPE",
    "WITHINDEXSUFFIX",
    "TTL",
    "WITHCONVERTER",
    "WITHJMSSELECTOR",
    "WITHKEY",
    "KEYDELIMITER",
    "WITHPIPELINE",
    "WITHSUBSCRIPTION",
    "WITHREGEX",
    "LIMIT",
];

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn statement(mut self, text: &str) -> Result<Statement, String> {
        if self.takes("UPSERT") {
            return Err("UPSERT cannot be: rows are added to files, and none is looked up by its key".into());
        }
        self.expect("INSERT")?;
        self.expect("INTO")?;
        let target = unquoted(&self.name("a container")?);
        let (container, prefix) = match target.split(':').collect::<Vec<_>>()[..] {
            [container] => (container.to_owned(), None),
            [container, prefix] => (container.to_owned(), Some(prefix.trim_end_matches('/').to_owned())),
            _ => return Err(format!("{target} is not container or container:prefix")),
        };
        self.expect("SELECT")?;
        if self.next() != Some(Token::Symbol('*')) || self.peek() == Some(&Token::Symbol(',')) {
            return Err(
                "only SELECT * is taken: Lenses' sink lands all fields whatever is selected, and so would this one; choose \
                        fields by a transform (ReplaceField)"
                    .into(),
            );
        }
        self.expect("FROM")?;
        let topic = if self.symbol('*') { None } else { Some(unquoted(&self.name("a topic")?)) };
        let partitions = self.partitions()?;
        let store_as = self.store_as()?;
        let properties = self.properties()?;
        self.end()?;
        let prefix = prefix.filter(|prefix| !prefix.is_empty());
        let topic = topic.filter(|topic| topic != "*");
        Ok(Statement { text: text.to_owned(), container, prefix, topic, partitions, store_as, properties })
    }

    fn partitions(&mut self) -> Result<Partitions, String> {
        if self.takes("NOPARTITION") {
            return Ok(Partitions::None);
        }
        if !self.takes("PARTITIONBY") {
            return Ok(Partitions::Default);
        }
        let mut fields: Vec<String> = Vec::new();
        loop {
            let field = match self.peek() {
                Some(Token::Word(field)) => field.clone(),
                _ => return Err(format!("a field to partition by was expected{}", self.found())),
            };
            self.at += 1;
            if fields.iter().any(|other| other.eq_ignore_ascii_case(&field)) {
                return Err(format!("the field {field} appears twice in PARTITIONBY"));
            }
            fields.push(field);
            if !self.symbol(',') {
                return Ok(Partitions::By(fields));
            }
        }
    }

    fn store_as(&mut self) -> Result<Option<String>, String> {
        if !self.takes("STOREAS") {
            return Ok(None);
        }
        let format = unquoted(&self.name("a format")?).to_ascii_uppercase();
        if self.peek() == Some(&Token::Symbol('(')) {
            return Err("STOREAS takes no parameters: Lenses' sink does nothing with them".into());
        }
        Ok(Some(format))
    }

    fn properties(&mut self) -> Result<BTreeMap<String, String>, String> {
        let mut properties = BTreeMap::new();
        if !self.takes("PROPERTIES") {
            return Ok(properties);
        }
        self.expect_symbol('(')?;
        while !self.symbol(')') {
            let name = self.entry("the name of a property")?.to_ascii_lowercase();
            self.expect_symbol('=')?;
            let value = self.entry("the value of a property")?;
            if properties.insert(name.clone(), value).is_some() {
                return Err(format!("the property {name} is there twice"));
            }
            if !self.symbol(',') {
                self.expect_symbol(')')?;
                break;
            }
        }
        Ok(properties)
    }

    /// Nothing may follow.
    fn end(&self) -> Result<(), String> {
        let Some(token) = self.peek() else { return Ok(()) };
        let keyword = token.to_string().to_ascii_uppercase();
        Err(match keyword.as_str() {
            "WITH_FLUSH_COUNT" | "WITH_FLUSH_SIZE" | "WITH_FLUSH_INTERVAL" => {
                let name = keyword["WITH_".len()..].to_ascii_lowercase().replace('_', ".");
                format!("{keyword} is no longer of the language: give PROPERTIES('{name}'=…)")
            }
            "WITHPARTITIONER" => {
                "WITHPARTITIONER is no longer of the language: give PROPERTIES('partition.include.keys'=true) or false".into()
            }
            idle if IDLE.contains(&idle) => format!("{idle} does nothing in Lenses' sink, and nothing here: leave it out"),
            "PARTITIONBY" | "NOPARTITION" | "STOREAS" | "PROPERTIES" => {
                format!("{keyword} is in the wrong place: the order is PARTITIONBY, STOREAS, PROPERTIES, each once")
            }
            _ => format!("{token} was not expected"),
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// Whether the keyword comes; it is then taken.
    fn takes(&mut self, keyword: &str) -> bool {
        let comes = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(comes);
        comes
    }

    fn symbol(&mut self, symbol: char) -> bool {
        let comes = self.peek() == Some(&Token::Symbol(symbol));
        self.at += usize::from(comes);
        comes
    }

    fn expect(&mut self, keyword: &str) -> Result<(), String> {
        if self.takes(keyword) {
            return Ok(());
        }
        Err(format!("{keyword} was expected{}", self.found()))
    }

    fn expect_symbol(&mut self, symbol: char) -> Result<(), String> {
        if self.symbol(symbol) { Ok(()) } else { Err(format!("{symbol:?} was expected{}", self.found())) }
    }

    /// A name, with its backquotes.
    fn name(&mut self, what: &str) -> Result<String, String> {
        match self.peek() {
            Some(Token::Word(name) | Token::Text(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(format!("{what} was expected{}", self.found())),
        }
    }

    /// A name or a value in `PROPERTIES`.
    fn entry(&mut self, what: &str) -> Result<String, String> {
        self.name(what).map(|entry| unquoted(&entry).trim().to_owned())
    }

    fn found(&self) -> String {
        self.peek().map_or_else(|| " at the end".to_owned(), |token| format!(" where {token} is"))
    }
}

/// The name without the backquotes around it.
fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
    inner.filter(|inner| !inner.contains('`')).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> Statement {
        parse(text).unwrap_or_else(|refused| panic!("{}", refused[0])).remove(0)
    }

    fn why(text: &str) -> String {
        parse(text).expect_err(text).into_iter().map(|refused| refused.why).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_statement_says_where_from_and_how() {
        let text = "INSERT INTO lake:raw/cdc SELECT * FROM orders PARTITIONBY _date.`yyyy/MM`, id STOREAS `AVRO` \
                    PROPERTIES('flush.count'=10, 'flush.interval' = '60', store.envelope=true)";
        let found = one(&format!(" {text} ;\n"));
        let properties = [("flush.count", "10"), ("flush.interval", "60"), ("store.envelope", "true")];
        assert_eq!(
            found,
            Statement {
                text: text.to_owned(),
                container: "lake".into(),
                prefix: Some("raw/cdc".into()),
                topic: Some("orders".into()),
                partitions: Partitions::By(vec!["_date.`yyyy/MM`".into(), "id".into()]),
                store_as: Some("AVRO".into()),
                properties: properties.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            }
        );
        let least = one("insert into lake select * from `*`");
        assert_eq!((&*least.container, &least.prefix, &least.topic), ("lake", &None, &None));
        assert_eq!((least.partitions, least.store_as, least.properties.len()), (Partitions::Default, None, 0));
    }

    #[test]
    fn names_are_taken_as_they_are_quoted() {
        for (text, container, prefix, topic) in [
            ("INSERT INTO `lake:a b` SELECT * FROM `a.b c`", "lake", Some("a b"), Some("a.b c")),
            ("INSERT INTO 'lake:x' SELECT * FROM 'orders'", "lake", Some("x"), Some("orders")),
            ("INSERT INTO lake:x/ SELECT * FROM a.b-c_d", "lake", Some("x"), Some("a.b-c_d")),
            ("INSERT INTO lake SELECT * FROM * NOPARTITION", "lake", None, None),
            ("INSERT INTO lake SELECT * FROM 'x;y'", "lake", None, Some("x;y")),
        ] {
            let found = one(text);
            assert_eq!(
                (&*found.container, found.prefix.as_deref(), found.topic.as_deref()),
                (container, prefix, topic),
                "{text}"
            );
        }
        assert_eq!(one("INSERT INTO lake SELECT * FROM * NOPARTITION").partitions, Partitions::None);
        let two = parse("INSERT INTO lake SELECT * FROM a; INSERT INTO lake SELECT * FROM b;").expect("two statements");
        assert_eq!(two.iter().map(|s| s.topic.as_deref()).collect::<Vec<_>>(), [Some("a"), Some("b")]);
    }

    #[test]
    fn what_cannot_be_taken_is_said() {
        let lake = |rest: &str| format!("INSERT INTO lake SELECT * FROM t {rest}");
        for (text, expected) in [
            (" ; ".to_owned(), "there is no statement"),
            ("SELECT * FROM t".to_owned(), "INSERT was expected where SELECT is"),
            ("INSERT INTO".to_owned(), "a container was expected at the end"),
            ("INSERT INTO a:b:c SELECT * FROM t".to_owned(), "a:b:c is not container or container:prefix"),
            (
                "UPSERT INTO lake SELECT * FROM t".to_owned(),
                "UPSERT cannot be: rows are added to files, and none is looked up by its key",
            ),
            (
                "INSERT INTO lake SELECT a, b FROM t".to_owned(),
                "only SELECT * is taken: Lenses' sink lands all fields whatever is selected, and so would this one; choose fields by a transform (ReplaceField)",
            ),
            ("INSERT INTO lake SELECT * FROM".to_owned(), "a topic was expected at the end"),
            (lake("LIMIT 10"), "LIMIT does nothing in Lenses' sink, and nothing here: leave it out"),
            (lake("ignore a, b"), "IGNORE does nothing in Lenses' sink, and nothing here: leave it out"),
            (lake("WITH_FLUSH_COUNT = 5"), "WITH_FLUSH_COUNT is no longer of the language: give PROPERTIES('flush.count'=…)"),
            (
                lake("STOREAS JSON WITHPARTITIONER = Values"),
                "WITHPARTITIONER is no longer of the language: give PROPERTIES('partition.include.keys'=true) or false",
            ),
            (
                lake("PROPERTIES('a'='b') STOREAS JSON"),
                "STOREAS is in the wrong place: the order is PARTITIONBY, STOREAS, PROPERTIES, each once",
            ),
            (lake("STOREAS CSV(a=b)"), "STOREAS takes no parameters: Lenses' sink does nothing with them"),
            (lake("PROPERTIES('a'"), "'=' was expected at the end"),
            (lake("PROPERTIES('a'=1 'b'=2)"), "')' was expected where 'b' is"),
            (lake("PROPERTIES('a'=1, 'A'=2)"), "the property a is there twice"),
            (lake("PARTITIONBY a, A"), "the field A appears twice in PARTITIONBY"),
            (lake("PARTITIONBY 'a'"), "a field to partition by was expected where 'a' is"),
            (lake("PARTITIONBY"), "a field to partition by was expected at the end"),
            (lake("PROPERTIES('a"), "a quote is not closed"),
            (lake("& x"), "'&' means nothing"),
            (lake("something"), "something was not expected"),
        ] {
            assert_eq!(why(&text), expected, "{text}");
        }
        let shown = parse("INSERT INTO lake SELECT * FROM t; DELETE").expect_err("the second");
        assert_eq!(shown[0].to_string(), "INSERT was expected where DELETE is in: DELETE");
    }

    proptest! {
        /// Whatever the statements are, they are taken or refused.
        #[test]
        fn no_text_panics(
            text in r"((INSERT|INTO|SELECT|FROM|PARTITIONBY|STOREAS|PROPERTIES|NOPARTITION|\*|\(|\)|=|,|;|'|`|:|_value\.|a|../|é) ?){0,24}|\PC{0,24}",
        ) {
            for statement in parse(&text).unwrap_or_default() {
                prop_assert!(!statement.container.is_empty(), "{}", text);
            }
        }
    }
}
