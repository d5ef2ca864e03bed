//! Configuration keys in Connect's vocabulary, each declared once: type, default, validator, documentation and the parsed field.
//!
//! Texts of errors are those of `org.apache.kafka.common.config.ConfigDef` (4.3.1), because users grep for them.

mod password;

use std::collections::BTreeMap;
use std::fmt;

use crate::reach::Reaches;

pub use password::Password;

/// What a user wrote: key to value. Values may be secrets, and nothing takes them from memory: what prints, logs or answers with
/// properties has to hide them first, and none has `Debug` made of it.
pub type Properties = BTreeMap<String, String>;

/// The properties whose keys begin with `prefix`, with it taken off.
#[must_use]
pub fn with_prefix(properties: &Properties, prefix: &str) -> Properties {
    properties.iter().filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone()))).collect()
}

/// One thing wrong with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key.
    pub key: String,
    /// What is wrong, as Java says it.
    pub message: String,
}

/// All that is wrong with a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Adds `message` for `key`.
    pub fn push(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault { key: key.into(), message: message.into() });
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value` if nothing is wrong.
    ///
    /// # Errors
    /// The faults, if there are any.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// A key's type (`ConfigDef.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the types")]
pub enum Kind {
    Boolean,
    String,
    Short,
    Int,
    Long,
    Double,
    List,
    Class,
    Password,
}

impl Kind {
    /// Java's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Short => "SHORT",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// The value that `raw` says, as Java prints it (`ConfigDef.convertToString`).
    ///
    /// # Errors
    /// Why it says none, in Java's words.
    pub fn canonical(self, raw: &str) -> Result<String, String> {
        Ok(match self {
            Self::Boolean => bool::parse(raw)?.to_string(),
            Self::String | Self::Class => raw.trim().to_owned(),
            Self::Short => i16::parse(raw)?.to_string(),
            Self::Int => i32::parse(raw)?.to_string(),
            Self::Long => i64::parse(raw)?.to_string(),
            Self::Double => f64::parse(raw)?.to_string(),
            Self::List => Vec::<String>::parse(raw)?.join(","),
            Self::Password => "[hidden]".to_owned(),
        })
    }
}

/// How much a key matters (`ConfigDef.Importance`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Importance {
    High,
    Medium,
    Low,
}

/// How wide an input field a form gives a key (`ConfigDef.Width`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Width {
    None,
    Short,
    Medium,
    Long,
}

/// What a value must be beyond its type (`ConfigDef.Validator`).
#[derive(Clone, Copy, Debug)]
pub enum Valid {
    /// Anything of the type.
    Any,
    /// A number of at least this.
    AtLeast(i64),
    /// A number between these, both included.
    Between(i64, i64),
    /// One of these, to the letter.
    OneOf(&'static [&'static str]),
    /// One of these, in any case.
    OneOfIgnoreCase(&'static [&'static str]),
    /// Text that is not empty.
    NonEmpty,
    /// Text of a length between these, both included.
    Length(usize, usize),
    /// What the function accepts; it gives the reason why not.
    By(fn(&str) -> Result<(), String>),
}

impl Valid {
    /// What a value must be, in words; None if the documentation of the key says it.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        Some(match *self {
            Self::Any | Self::By(_) => return None,
            Self::AtLeast(least) => format!("at least {least}"),
            Self::Between(least, most) => format!("{least} to {most}"),
            Self::OneOf(all) => all.join(", "),
            Self::OneOfIgnoreCase(all) => format!("{}, in any case", all.join(", ")),
            Self::NonEmpty => "not empty".to_owned(),
            Self::Length(min, max) => format!("{min} to {max} characters"),
        })
    }

    fn check(&self, value: &str) -> Result<(), String> {
        match *self {
            Self::Any => Ok(()),
            Self::AtLeast(least) => match value.trim().parse::<f64>() {
                Ok(n) if n >= least as f64 => Ok(()),
                _ => Err(format!("Value must be at least {least}")),
            },
            Self::Between(least, most) => match value.trim().parse::<f64>() {
                Ok(n) if n > most as f64 => Err(format!("Value must be no more than {most}")),
                _ => Self::AtLeast(least).check(value),
            },
            Self::OneOf(all) if all.contains(&value) => Ok(()),
            Self::OneOf(all) => Err(format!("String must be one of: {}", all.join(", "))),
            Self::OneOfIgnoreCase(all) if all.iter().any(|a| a.eq_ignore_ascii_case(value)) => Ok(()),
            Self::OneOfIgnoreCase(all) => Err(format!("String must be one of (case insensitive): {}", all.join(", "))),
            Self::NonEmpty if value.is_empty() => Err("String must be non-empty".into()),
            Self::NonEmpty => Ok(()),
            Self::Length(min, max) if (min..=max).contains(&value.chars().count()) => Ok(()),
            Self::Length(min, max) => Err(format!("String must have between {min} and {max} characters")),
            Self::By(accepts) => accepts(value),
        }
    }
}

/// What becomes of the value that a user gives a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What the documentation says.
    Full,
    /// A value other than the default is refused: what it asks for is not there yet.
    Refused,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// The declaration of a configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The value if the user gives none; None is Java's null.
    pub default: Option<&'static str>,
    /// Whether the user must give it.
    pub required: bool,
    /// How much it matters.
    pub importance: Importance,
    /// The group that a form shows it in.
    pub group: &'static str,
    /// Its place in the group; None for the one after the key of the group that is declared before it.
    pub order: Option<i32>,
    /// How wide a form shows it.
    pub width: Width,
    /// How a form calls it; empty for its name.
    pub display: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// What a value must be.
    pub valid: Valid,
    /// Values that a form offers.
    pub recommended: &'static [&'static str],
    /// The keys that mean something or not by the value of this one.
    pub dependents: &'static [&'static str],
    /// Whether a form shows it, by the other properties.
    pub visible: fn(&Properties) -> bool,
    /// What becomes of its value.
    pub effect: Effect,
    /// What its value makes the worker reach for.
    pub reaches: Reaches,
}

impl Key {
    /// A key of which nothing is said yet.
    pub const EMPTY: Self = Self {
        name: "",
        kind: Kind::String,
        default: None,
        required: false,
        importance: Importance::Medium,
        group: "",
        order: None,
        width: Width::Medium,
        display: "",
        doc: "",
        valid: Valid::Any,
        recommended: &[],
        dependents: &[],
        visible: |_| true,
        effect: Effect::Full,
        reaches: Reaches::Nothing,
    };

    /// What it does, as paragraphs with a blank line between them.
    #[must_use]
    pub fn documentation(&self) -> String {
        let paragraphs = self.doc.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        paragraphs.collect::<Vec<_>>().join("\n\n")
    }

    /// Whether `raw` can be its value.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, raw: &str) -> Result<(), String> {
        self.kind.canonical(raw)?;
        self.valid.check(if self.kind == Kind::Password { raw } else { raw.trim() })
    }

    /// The user's value or the default, parsed; a fault is added if it cannot be taken.
    pub fn read<T: Value>(&self, properties: &Properties, faults: &mut Faults) -> Option<T> {
        let Some(raw) = properties.get(self.name).map(String::as_str).or(self.default) else {
            if self.required {
                faults.push(self.name, format!("Missing required configuration \"{}\" which has no default value.", self.name));
                return None;
            }
            return T::absent();
        };
        match self.check(raw).and_then(|()| T::parse(raw)) {
            Ok(value) => Some(value),
            Err(reason) => {
                let shown = match self.kind {
                    Kind::Password => "[hidden]",
                    Kind::String => raw.trim(),
                    _ => raw,
                };
                faults.push(self.name, format!("Invalid value {shown} for configuration {}: {reason}", self.name));
                None
            }
        }
    }
}

/// A type that a key can have.
pub trait Value: Sized {
    /// Java's type.
    const KIND: Kind;

    /// The value that `raw` says.
    ///
    /// # Errors
    /// Why it says none, in Java's words.
    fn parse(raw: &str) -> Result<Self, String>;

    /// The value when the user gives none and there is no default; None if that cannot be.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }
}

macro_rules! number {
    ($($ty:ty = $kind:ident $name:literal;)*) => {$(
        impl Value for $ty {
            const KIND: Kind = Kind::$kind;
            fn parse(raw: &str) -> Result<Self, String> {
                raw.trim().parse().map_err(|_| concat!("Not a number of type ", $name).to_owned())
            }
        }
    )*};
}
number! { i16 = Short "SHORT"; i32 = Int "INT"; i64 = Long "LONG"; f64 = Double "DOUBLE"; }

impl Value for bool {
    const KIND: Kind = Kind::Boolean;
    fn parse(raw: &str) -> Result<Self, String> {
        match raw.trim() {
            t if t.eq_ignore_ascii_case("true") => Ok(true),
            f if f.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err("Expected value to be either true or false".into()),
        }
    }
}

impl Value for String {
    const KIND: Kind = Kind::String;
    fn parse(raw: &str) -> Result<Self, String> {
        Ok(raw.trim().to_owned())
    }
}

impl Value for Vec<String> {
    const KIND: Kind = Kind::List;
    fn parse(raw: &str) -> Result<Self, String> {
        let raw = raw.trim();
        Ok(if raw.is_empty() { Self::new() } else { raw.split(',').map(|item| item.trim().to_owned()).collect() })
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;
    fn parse(raw: &str) -> Result<Self, String> {
        T::parse(raw).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// The name of a Java class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class(pub String);

impl Value for Class {
    const KIND: Kind = Kind::Class;
    fn parse(raw: &str) -> Result<Self, String> {
        Ok(Self(raw.trim().to_owned()))
    }
}

/// Declares a configuration: the struct that the program reads, and with it the keys that users see.
///
/// ```
/// use landfall_api::{config, Faults, Properties};
/// config! {
///     /// How files end.
///     pub struct Roll {
///         /// Records in a file.
///         flush_size: i32 = "flush.size" { required: true, importance: High, valid: AtLeast(1) };
///         /// Milliseconds between tries.
///         retry_backoff_ms: i64 = "retry.backoff.ms" { default: Some("5000"), importance: Low };
///     }
/// }
/// let mut faults = Faults::default();
/// let given = Properties::from([("flush.size".into(), "1000".into())]);
/// let roll = Roll::parse(&given, &mut faults).unwrap();
/// assert_eq!((roll.flush_size, roll.retry_backoff_ms), (1000, 5000));
/// assert!(Roll::parse(&Properties::new(), &mut faults).is_none());
/// assert_eq!(faults.to_string(), "Missing required configuration \"flush.size\" which has no default value.");
/// assert_eq!(Roll::KEYS[0].doc, "Records in a file.");
/// ```
#[macro_export]
macro_rules! config {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $( $(#[doc = $doc:literal])+ $field:ident : $ty:ty = $key:literal { $( $option:ident : $value:expr ),* $(,)? }; )*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $vis struct $name { $( $(#[doc = $doc])+ pub $field: $ty, )* }

        impl $name {
            /// The keys, in the order of declaration.
            $vis const KEYS: &'static [$crate::Key] = {
                use $crate::{Effect::*, Importance::*, Reaches::{Files, Hosts, Store, Written}, Valid::*};
                let _ = (High, Any, Full, Files, Hosts, Store, Written); // a declaration need not use any of the names
                &[ $( $crate::Key {
                    name: $key,
                    kind: <$ty as $crate::Value>::KIND,
                    doc: $crate::config::trim_start(concat!($($doc, "\n"),+)),
                    $( $option: $value, )*
                    ..$crate::Key::EMPTY
                } ),* ]
            };

            /// Reads all keys; None when a fault was added.
            $vis fn parse(properties: &$crate::Properties, faults: &mut $crate::Faults) -> Option<Self> {
                Self::parse_as(std::convert::identity, properties, faults)
            }

            /// Reads all keys as `declared` changes them: a class may have defaults of its own.
            $vis fn parse_as(
                declared: fn($crate::Key) -> $crate::Key,
                properties: &$crate::Properties,
                faults: &mut $crate::Faults,
            ) -> Option<Self> {
                let mut keys = Self::KEYS.iter().copied().map(declared);
                $( let $field = keys.next().and_then(|key| key.read::<$ty>(properties, faults)); )*
                Some(Self { $( $field: $field?, )* })
            }
        }
    };
}

/// `Debug` of types that hold properties, by their names alone: properties may be secrets.
#[macro_export]
macro_rules! opaque {
    ($($name:ident),+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

/// `text` without the blank before and the line end after it, at compile time.
#[doc(hidden)]
#[must_use]
pub const fn trim_start(text: &str) -> &str {
    let text = text.as_bytes().trim_ascii();
    match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(_) => panic!("trimming blanks leaves UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    config! {
        /// All kinds.
        struct Everything {
            /// A number.
            ///
            /// In two lines.
            size: i32 = "size" { default: Some("7"), valid: AtLeast(1) };
            /// A switch.
            on: bool = "on" { default: Some("true"), importance: Low };
            /// A list.
            names: Vec<String> = "names" { default: Some("") };
            /// A secret.
            secret: Option<Password> = "secret" { valid: Length(3, 5) };
            /// A choice.
            mode: String = "mode" { default: Some("NONE"), valid: OneOf(&["NONE", "FULL"]) };
        }
    }

    fn given(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[test]
    fn defaults_are_taken_and_all_faults_come_at_once() {
        let mut faults = Faults::default();
        let all = Everything::parse(&given(&[("names", "a, b,c")]), &mut faults).expect("valid");
        assert_eq!((all.size, all.on, all.names.len(), all.secret, &*all.mode), (7, true, 3, None, "NONE"));
        let bad = given(&[("size", "0"), ("on", "maybe"), ("secret", "hunter22"), ("mode", "none")]);
        assert!(Everything::parse(&bad, &mut faults).is_none());
        let text = faults.to_string();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "Invalid value 0 for configuration size: Value must be at least 1",
                "Invalid value maybe for configuration on: Expected value to be either true or false",
                "Invalid value [hidden] for configuration secret: String must have between 3 and 5 characters",
                "Invalid value none for configuration mode: String must be one of: NONE, FULL",
            ]
        );
    }

    #[test]
    fn values_are_printed_as_java_prints_them() {
        for (kind, raw, printed) in [
            (Kind::Int, " 007 ", Ok("7")),
            (Kind::Boolean, "TRUE", Ok("true")),
            (Kind::List, " a, b ,", Ok("a,b,")),
            (Kind::String, " a b ", Ok("a b")),
            (Kind::Password, "pssst", Ok("[hidden]")),
            (Kind::Short, "99999", Err("Not a number of type SHORT")),
        ] {
            assert_eq!(kind.canonical(raw).as_deref().map_err(String::as_str), printed);
        }
        let between = Key { kind: Kind::Int, valid: Valid::Between(2, 4), ..Key::EMPTY };
        let check = |raw| between.check(raw).err().unwrap_or_default();
        assert_eq!([check("1"), check("3"), check("5")], ["Value must be at least 2", "", "Value must be no more than 4"]);
    }

    #[test]
    fn a_number_that_is_none_is_named_as_java_names_it() {
        let mut faults = Faults::default();
        assert!(Everything::parse(&given(&[("size", "x1")]), &mut faults).is_none());
        assert_eq!(faults.to_string(), "Invalid value x1 for configuration size: Not a number of type INT");
    }

    #[test]
    fn a_password_never_prints() {
        let mut faults = Faults::default();
        let all = Everything::parse(&given(&[("secret", "pssst")]), &mut faults).expect("valid");
        assert!(!format!("{all:?}").contains("pssst"));
        assert_eq!(all.secret.as_ref().map(Password::reveal), Some("pssst"));
    }

    #[test]
    fn documentation_comes_from_the_declaration() {
        assert_eq!(Everything::KEYS[0].documentation(), "A number.\n\nIn two lines.");
        assert_eq!(Everything::KEYS[3].kind, Kind::Password);
    }
}
