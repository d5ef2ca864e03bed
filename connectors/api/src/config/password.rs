//! The one type for secrets: it prints as Java's `Password` does, cannot be serialised, and leaves nothing in memory.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Kind, Value};

/// A secret: printed as Java prints a `Password`. Clones share the one copy, which is overwritten when the last of them is dropped;
/// comparing two of one length takes a time that says nothing of where they differ.
#[derive(Clone)]
pub struct Password(Arc<Zeroizing<String>>);

impl Password {
    /// The secret itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is this text.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl From<String> for Password {
    fn from(secret: String) -> Self {
        Self(Arc::new(Zeroizing::new(secret)))
    }
}

impl From<&str> for Password {
    fn from(secret: &str) -> Self {
        secret.to_owned().into()
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.reveal())
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Value for Password {
    const KIND: Kind = Kind::Password;
    fn parse(raw: &str) -> Result<Self, String> {
        Ok(raw.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_and_never_printed() {
        let secret = Password::from("pssst");
        assert!(secret == Password::from("pssst".to_owned()) && secret.is("pssst") && !secret.is("psst") && !secret.is("pssst!"));
        assert!(secret != Password::from("Pssst") && secret.clone() == secret);
        assert_eq!((format!("{secret:?}"), secret.reveal()), ("[hidden]".to_owned(), "pssst"));
        assert_eq!(format!("{:?}", Some([secret])), "Some([[hidden]])");
    }
}
