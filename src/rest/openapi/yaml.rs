//! JSON as YAML for people: a line for each member, texts without quotes where they can do without.

use serde_json::Value;

/// The value as a document.
pub(super) fn text(value: &Value) -> String {
    let mut text = String::new();
    block(&mut text, value, 0);
    text
}

/// A value on lines of its own.
fn block(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                *text += &format!("{:indent$}{}:", "", scalar(&Value::String(key.clone())));
                after(text, value, indent + 2);
            }
        }
        Value::Array(items) => {
            for item in items {
                *text += &format!("{:indent$}-", "");
                match item {
                    Value::Object(fields) if !fields.is_empty() => {
                        let mut inner = String::new();
                        block(&mut inner, item, indent + 2);
                        *text += &format!(" {}", inner.trim_start());
                    }
                    other => after(text, other, indent + 2),
                }
            }
        }
        other => *text += &format!("{:indent$}{}\n", "", scalar(other)),
    }
}

/// A value behind its key.
fn after(text: &mut String, value: &Value, indent: usize) {
    let is_block = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        text.push('\n');
        block(text, value, indent);
    } else {
        *text += &format!(" {}\n", scalar(value));
    }
}

/// JSON is YAML; a text that is sure to be read as a text needs no quotes.
fn scalar(value: &Value) -> String {
    const WORDS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"];
    match value {
        Value::String(text) => {
            let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
            let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || " _-./,;()=+".contains(c));
            let word = WORDS.contains(&text.to_ascii_lowercase().as_str());
            if first && plain && !word && text.trim() == text { text.clone() } else { value.to_string() }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    #[test]
    fn values_are_written_as_lines() {
        let value = json!({
            "a": {"b": [1, "x y", "1", {"c": null, "d": [true]}, []], "e": {}},
            "200": "no",
            "$ref": "#/a: b",
            "f": [{"g": {"h": "on\n"}}],
        });
        let expected = "\
a:
  b:
    - 1
    - x y
    - \"1\"
    - c: null
      d:
        - true
    - []
  e: {}
\"200\": \"no\"
\"$ref\": \"#/a: b\"
f:
  - g:
      h: \"on\\n\"
";
        assert_eq!(text(&value), expected);
    }
}
