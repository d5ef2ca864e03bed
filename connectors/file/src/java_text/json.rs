//! A JSON text as Java prints what it makes of it without a schema: maps, lists, longs, doubles.

use super::hash_map::{Entries, hash_of};
use super::{Form, number, separate, show};

/// Appends the value that `text` says; it is JSON throughout.
pub(super) fn json(text: &str, form: Form, out: &mut Vec<u8>) {
    Reader { text: text.as_bytes(), at: 0 }.value(form, out);
}

/// Goes through a text that is known to be JSON; of another it prints something and ends.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, form: Form, out: &mut Vec<u8>) {
        match self.peek() {
            b'{' => {
                let mut entries = Entries::new(out);
                self.at += 1;
                while self.more(b'}') {
                    let (begin, name) = (out.len(), self.string());
                    form.inner().text(name.as_bytes(), out);
                    entries.key(hash_of(&name), begin, out);
                    self.peek();
                    self.at += 1; // colon
                    self.value(form.inner(), out);
                }
                entries.finish(form, out);
            }
            b'[' => {
                out.push(b'[');
                self.at += 1;
                let mut n = 0;
                while self.more(b']') {
                    separate(n, form.comma(), out);
                    self.value(form.inner(), out);
                    n += 1;
                }
                out.push(b']');
            }
            b'"' => form.text(self.string().as_bytes(), out),
            b'-' | b'0'..=b'9' => number(self.word(), out),
            _ => out.extend_from_slice(self.word().as_bytes()),
        }
    }

    /// The next byte that is not blank; nought at the end.
    fn peek(&mut self) -> u8 {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Whether another member comes before `end`; passes the comma before it, or the end.
    fn more(&mut self, end: u8) -> bool {
        let next = self.peek();
        if next == b',' {
            self.at += 1;
            self.peek();
        } else if next == end || next == 0 {
            self.at += 1;
            return false;
        }
        self.at < self.text.len()
    }

    /// A number, `true`, `false` or `null`: all up to the next blank or delimiter.
    fn word(&mut self) -> &str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|b| b.is_ascii_whitespace() || b",]}".contains(b)).unwrap_or(rest.len());
        // Never stands still.
        self.at += len.max(1);
        str::from_utf8(&rest[..len]).unwrap_or_default()
    }

    fn string(&mut self) -> String {
        let begin = self.at + 1;
        let mut end = begin;
        while let Some(&b) = self.text.get(end)
            && b != b'"'
        {
            end += if b == b'\\' { 2 } else { 1 };
        }
        let end = end.min(self.text.len());
        self.at = end + 1;
        unescaped(&String::from_utf8_lossy(self.text.get(begin..end).unwrap_or_default()))
    }
}

fn unescaped(text: &str) -> String {
    let Some(first) = text.find('\\') else { return text.to_owned() };
    let mut units: Vec<u16> = text[..first].encode_utf16().collect();
    let mut rest = text[first..].chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        units.push(match rest.next().unwrap_or('\\') {
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let unit = rest.as_str().get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
                rest = rest.as_str().get(4..).unwrap_or_default().chars();
                unit.unwrap_or(0xfffd)
            }
            other => other as u16,
        });
    }
    String::from_utf16_lossy(&units)
}

/// Java: a long or a double. A long that is too long for Java keeps its digits.
fn number(text: &str, out: &mut Vec<u8>) {
    if let Ok(long) = text.parse::<i64>() {
        show(long, out);
    } else if let (true, Ok(value)) = (text.contains(['.', 'e', 'E']), text.parse()) {
        number::double(value, out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_reads_as_javas_values() {
        let cases = [
            (r#""a \"b\"\n\u00e4\ud83d\ude00\/""#, "a \"b\"\nä😀/"),
            ("5", "5"),
            ("-0", "0"),
            ("5.0e1", "50.0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("true", "true"),
            (r#"[1, "x" ,null,[],{}]"#, "[1, x, null, [], {}]"),
            (r#"{ "b" : 1,"a":{"p":[ 1 ],"a":null}, "b": 2 }"#, "{a={p=[1], a=null}, b=2}"),
            (r#""\ud800x""#, "\u{fffd}x"),
            (r#"{"a\u0041":1}"#, "{aA=1}"),
        ];
        for (text, expected) in cases {
            let mut out = Vec::new();
            json(text, Form::Line, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_json_ends_too() {
        for text in ["", "{", "[", "[1", "{\"a", "{\"a\"", "\"\\", "\"\\u12", "}", "[}", "{]", "{1", "]", "[,", "{,", "\\", "[:]"]
        {
            json(text, Form::Line, &mut Vec::new());
        }
    }
}
