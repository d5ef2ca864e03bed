//! Values as names of folders: what would leave the folder, or is no name everywhere, is percent-encoded.
//!
//! A text that is safe stays what it is, as in Java, which encodes nothing. Encoded are slashes, backslashes and control characters;
//! a point at the end of a name (`.` and `..` have one, and Azure takes none); and a percent sign before two hexadecimal digits, so
//! that different values stay different.

/// Appends `text`, encoded where it must be, and where `more` says so.
pub(super) fn value(text: &str, more: impl Fn(char) -> bool, out: &mut String) {
    for (at, c) in text.char_indices() {
        let bad = match c {
            '/' | '\\' => true,
            '%' => text.as_bytes()[at + 1..].iter().take(2).filter(|b| b.is_ascii_hexdigit()).count() == 2,
            _ => c.is_control() || more(c),
        };
        if bad { encoded(c, out) } else { out.push(c) }
    }
}

/// Appends the percent-encoded bytes of `c`.
fn encoded(c: char, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut bytes = [0; 4];
    for byte in c.encode_utf8(&mut bytes).bytes() {
        out.push('%');
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Appends `text`, all of it encoded.
pub(super) fn all(text: &str, out: &mut String) {
    text.chars().for_each(|c| encoded(c, out));
}

/// Begins the name that `out` has from `begin` on: encodes an underscore or a point there, which readers take for a sign that a file is
/// not theirs.
pub(super) fn begin(begin: usize, out: &mut String) {
    if out[begin..].starts_with(['_', '.']) {
        let code = if out[begin..].starts_with('_') { "%5F" } else { "%2E" };
        out.replace_range(begin..=begin, code);
    }
}

/// Ends a name: encodes a point at its end.
pub(super) fn end(out: &mut String) {
    if out.ends_with('.') {
        out.pop();
        out.push_str("%2E");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> String {
        let mut out = String::new();
        value(text, |_| false, &mut out);
        end(&mut out);
        out
    }

    /// What was encoded.
    fn decoded(name: &str) -> String {
        let (bytes, mut out) = (name.as_bytes(), Vec::new());
        let mut at = 0;
        while at < bytes.len() {
            let hex = name.get(at + 1..at + 3).filter(|hex| bytes[at] == b'%' && hex.bytes().all(|b| b.is_ascii_hexdigit()));
            match hex {
                Some(hex) => out.push(u8::from_str_radix(hex, 16).expect("two digits")),
                None => out.push(bytes[at]),
            }
            at += if hex.is_some() { 3 } else { 1 };
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_is_safe_stays() {
        for safe in ["", "a b", "100%", "%zz", "50% off", "ä=ö+ü", "{x}", ".hidden", "a:b*c?\"<>|", "~", "null"] {
            assert_eq!(name(safe), safe);
        }
        for (text, encoded) in [
            ("a/b", "a%2Fb"),
            ("..", ".%2E"),
            (".", "%2E"),
            ("a.", "a%2E"),
            ("../../etc", "..%2F..%2Fetc"),
            ("a\\b\n\0", "a%5Cb%0A%00"),
            ("a%2Fb", "a%252Fb"),
            ("%%41", "%%2541"),
            ("\u{85}", "%C2%85"),
        ] {
            assert_eq!(name(text), encoded);
        }
    }

    proptest! {
        #[test]
        fn encoded_text_is_a_name_that_says_the_text(text in "[a%./\\\\24\u{1}\u{e4}]{0,8}|.{0,12}") {
            let name = name(&text);
            prop_assert_eq!(decoded(&name), text);
            prop_assert!(!name.contains(['/', '\\']) && !name.ends_with('.') && !name.chars().any(char::is_control));
        }
    }
}
