//! Sets of ASCII characters, and the names that Java's `\p{…}` has for them.

/// A set of ASCII characters: bit `c` is character `c`.
pub(super) type Set = u128;

/// The set of one character; empty if it is not ASCII.
pub(super) const fn one(c: u32) -> Set {
    if c < 128 { 1 << c } else { 0 }
}

/// The characters from `first` to `last`.
pub(super) const fn range(first: u32, last: u32) -> Set {
    if first > 127 || last < first {
        return 0;
    }
    let last = if last > 127 { 127 } else { last };
    (Set::MAX >> (127 - last)) & (Set::MAX << first)
}

const fn of(text: &str) -> Set {
    let (mut set, mut at) = (0, 0);
    while at < text.len() {
        set |= 1 << text.as_bytes()[at];
        at += 1;
    }
    set
}

pub(super) const UPPER: Set = range(b'A' as u32, b'Z' as u32);
pub(super) const LOWER: Set = range(b'a' as u32, b'z' as u32);
pub(super) const ALPHA: Set = UPPER | LOWER;
pub(super) const DIGIT: Set = range(b'0' as u32, b'9' as u32);
pub(super) const WORD: Set = ALPHA | DIGIT | of("_");
pub(super) const SPACE: Set = of(" \t\n\x0B\x0C\r");
pub(super) const HORIZONTAL: Set = of(" \t");
pub(super) const VERTICAL: Set = of("\n\x0B\x0C\r");
const CONTROL: Set = range(0, 31) | 1 << 127;
const GRAPH: Set = range(33, 126);
const PUNCT: Set = GRAPH & !(ALPHA | DIGIT);
const OTHER_PUNCT: Set = of("!\"#%&'*,./:;?@\\");
const DASH: Set = of("-");
const OPEN: Set = of("([{");
const CLOSE: Set = of(")]}");
const CONNECTOR: Set = of("_");
const MATH: Set = of("+<=>|~");
const CURRENCY: Set = of("$");
const MODIFIER: Set = of("^`");
const UNICODE_PUNCT: Set = OTHER_PUNCT | DASH | OPEN | CLOSE | CONNECTOR;
const HEX: Set = DIGIT | of("abcdefABCDEF");

/// `set` and the same letters in the other case.
pub(super) const fn folded(set: Set) -> Set {
    set | (set & UPPER) << 32 | (set & LOWER) >> 32
}

/// The ASCII letter that Java's UNICODE_CASE takes for the same as `c`, beside those that differ in case only.
pub(super) const fn unicode_folded(c: u32) -> u32 {
    match c {
        0x130 | 0x131 => b'i' as u32,
        0x17F => b's' as u32,
        0x212A => b'k' as u32,
        other => other,
    }
}

/// The characters of a name of `\p{…}` without a prefix: POSIX, Java's methods, or a general category.
pub(super) fn named(name: &str, fold: bool, unicode: bool) -> Option<Set> {
    let cased = |set: Set| if fold { folded(set) } else { set };
    let title = if fold { ALPHA } else { 0 };
    Some(match name {
        "Punct" if unicode => UNICODE_PUNCT,
        "Lower" | "javaLowerCase" => cased(LOWER),
        "Upper" | "javaUpperCase" => cased(UPPER),
        "javaTitleCase" => title,
        "ASCII" | "all" | "L1" => Set::MAX,
        "Alpha" | "javaAlphabetic" | "javaLetter" => ALPHA,
        "Digit" | "javaDigit" => DIGIT,
        "Alnum" | "javaLetterOrDigit" => ALPHA | DIGIT,
        "Punct" => PUNCT,
        "Graph" => GRAPH,
        "Print" => GRAPH | of(" "),
        "Blank" => HORIZONTAL,
        "Cntrl" | "javaISOControl" => CONTROL,
        "XDigit" => HEX,
        "Space" => SPACE,
        "javaIdeographic" => 0,
        "javaMirrored" => of("()<>[]{}"),
        "javaDefined" => Set::MAX,
        "javaSpaceChar" => of(" "),
        "javaWhitespace" => SPACE | range(0x1C, 0x1F),
        "javaJavaIdentifierStart" => ALPHA | of("$_"),
        "javaJavaIdentifierPart" => WORD | of("$") | IGNORABLE,
        "javaUnicodeIdentifierStart" => ALPHA,
        "javaUnicodeIdentifierPart" => WORD | IGNORABLE,
        "javaIdentifierIgnorable" => IGNORABLE,
        "LD" => ALPHA | DIGIT,
        _ => return category(name, fold),
    })
}

/// What Java leaves out of identifiers.
const IGNORABLE: Set = range(0, 8) | range(0x0E, 0x1B) | 1 << 127;

/// The characters of a general category.
pub(super) fn category(name: &str, fold: bool) -> Option<Set> {
    Some(match name {
        "Lu" | "Ll" | "Lt" if fold => ALPHA,
        "Lu" => UPPER,
        "Ll" => LOWER,
        "L" | "LC" => ALPHA,
        "N" | "Nd" => DIGIT,
        "Z" | "Zs" => of(" "),
        "C" | "Cc" => CONTROL,
        "P" => UNICODE_PUNCT,
        "Pd" => DASH,
        "Ps" => OPEN,
        "Pe" => CLOSE,
        "Pc" => CONNECTOR,
        "Po" => OTHER_PUNCT,
        "S" => MATH | CURRENCY | MODIFIER,
        "Sm" => MATH,
        "Sc" => CURRENCY,
        "Sk" => MODIFIER,
        "Cn" | "Lt" | "Lm" | "Lo" | "M" | "Mn" | "Me" | "Mc" | "Nl" | "No" | "Zl" | "Zp" | "Cf" | "Co" | "Cs" | "So" | "Pi"
        | "Pf" => 0,
        _ => return None,
    })
}

/// The characters of a binary property of Unicode, as `\p{Is…}` names it in any case.
pub(super) fn property(name: &str, fold: bool) -> Option<Set> {
    Some(match name.to_uppercase().as_str() {
        "ALPHABETIC" | "LETTER" => ALPHA,
        "TITLECASE" if fold => ALPHA,
        "LOWERCASE" => {
            if fold {
                ALPHA
            } else {
                LOWER
            }
        }
        "UPPERCASE" => {
            if fold {
                ALPHA
            } else {
                UPPER
            }
        }
        "WHITE_SPACE" | "WHITESPACE" => SPACE,
        "CONTROL" => CONTROL,
        "PUNCTUATION" => UNICODE_PUNCT,
        "HEX_DIGIT" | "HEXDIGIT" => HEX,
        "ASSIGNED" => Set::MAX,
        "DIGIT" => DIGIT,
        "ALNUM" => ALPHA | DIGIT,
        "BLANK" => HORIZONTAL,
        "GRAPH" => GRAPH,
        "PRINT" => GRAPH | of(" "),
        "WORD" => WORD,
        "NONCHARACTER_CODE_POINT" | "NONCHARACTERCODEPOINT" | "JOIN_CONTROL" | "JOINCONTROL" | "TITLECASE" | "IDEOGRAPHIC" => 0,
        _ => return None,
    })
}

/// The characters of a script; None for those that are refused here.
pub(super) fn script(name: &str) -> Option<Set> {
    match name.to_uppercase().as_str() {
        "LATIN" | "LATN" => Some(ALPHA),
        "COMMON" | "ZYYY" => Some(!ALPHA),
        _ => None,
    }
}

/// The characters of a block; None for those that are refused here.
pub(super) fn block(name: &str) -> Option<Set> {
    matches!(name.to_uppercase().as_str(), "BASICLATIN" | "BASIC LATIN" | "BASIC_LATIN").then_some(Set::MAX)
}
