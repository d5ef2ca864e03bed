//! Makes bytes for converters: what they take, what they refuse, and what is between.

use serde_json::json;

use super::Group;

/// Numbers that look random and are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True in one of `n` cases.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

/// About `records` records for all converters of Kafka.
pub(crate) fn groups(seed: u64, records: usize) -> Vec<Group> {
    let r = &mut Random(seed);
    let share = |percent: usize| records * percent / 100;
    let json = "org.apache.kafka.connect.json.JsonConverter";
    let mut groups = Vec::new();
    for (config, percent) in
        [(json!({}), 30), (json!({"replace.null.with.default": "false"}), 8), (json!({"decimal.format": "NUMERIC"}), 5)]
    {
        let envelopes = (0..share(percent)).map(|_| Some(envelope(r)));
        groups.push(Group::new(json, "value", config, envelopes));
    }
    let schemaless = (0..share(22)).map(|_| Some(mutated(any_json(r, 3), r)));
    groups.push(Group::new(json, "value", json!({"schemas.enable": "false"}), schemaless));
    for encoding in ["UTF-8", "US-ASCII", "ISO-8859-1"] {
        let texts = (0..share(2)).map(|_| Some(text_bytes(r)));
        groups.push(Group::new(
            "org.apache.kafka.connect.storage.StringConverter",
            "key",
            json!({"converter.encoding": encoding}),
            texts,
        ));
    }
    for (name, size) in [("Boolean", 1), ("Short", 2), ("Integer", 4), ("Long", 8), ("Float", 4), ("Double", 8)] {
        let value = |r: &mut Random| {
            let other = r.below(10);
            let size = if r.one_in(8) { other } else { size };
            let edges = r.of(&[0, 1, 0x7f, 0x80, 0xff]);
            (!r.one_in(20)).then(|| if r.one_in(3) { vec![edges; size] } else { r.bytes(size) })
        };
        let values: Vec<_> = (0..share(2)).map(|_| value(r)).collect();
        groups.push(Group::new(&format!("org.apache.kafka.connect.converters.{name}Converter"), "value", json!({}), values));
    }
    let headers: Vec<_> = (0..share(17)).map(|_| (!r.one_in(30)).then(|| header(r))).collect();
    groups.push(Group::new("org.apache.kafka.connect.storage.SimpleHeaderConverter", "header", json!({}), headers));
    groups
}

const TEXTS: &[&str] = &[
    "",
    "a",
    "NaN",
    "Infinity",
    "true",
    "null",
    "é",
    "日本",
    "😀",
    "AQI=",
    "AQ",
    "A Q I=",
    "12",
    "-1.5",
    "\\u00e9",
    "\\\"",
    "\\n\\t",
    "\\ud83d\\ude00",
    "\\ud800",
    "x\\/y",
    "  ",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "007",
    "-0",
    "127",
    "128",
    "-128",
    "-129",
    "32767",
    "32768",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483649",
    "86400000",
    "86399999",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1.0",
    "1.5",
    "-2.25",
    "1e3",
    "1E-2",
    "1e400",
    "0.1",
    "3.4028236e38",
    "1.7976931348623157e308",
    "4.9e-324",
    "123456789012345678901234567890.5",
    "1.10",
    "100",
];
const JUNK: &[&str] = &[
    "",
    " ",
    "{",
    "[1,",
    "nul",
    "truex",
    "01x",
    "1.",
    ".5",
    "+1",
    "'a'",
    "NaN",
    "{\"a\"}",
    "{a:1}",
    "[1 2]",
    "\"\\x\"",
    "\"",
    "[,]",
    "{\"a\":1,}",
];

fn text(r: &mut Random) -> String {
    if r.one_in(3) {
        return format!("\"{}\"", r.of(TEXTS));
    }
    let len = r.below(12);
    format!("\"{}\"", (0..len).map(|_| char::from(r.of(b"abcxyz 0189_-."))).collect::<String>())
}

fn number(r: &mut Random) -> String {
    match r.below(4) {
        0 => r.of(NUMBERS).to_owned(),
        1 => (r.next() as i64 >> r.below(63)).to_string(),
        2 => format!("{}", (r.next() as i32 >> r.below(31)) as f64 / 64.0),
        _ => r.below(300).to_string(),
    }
}

fn any_json(r: &mut Random, depth: usize) -> String {
    match r.below(if depth == 0 { 5 } else { 9 }) {
        0 => "null".into(),
        1 => r.of(&["true", "false"]).into(),
        2 | 3 => number(r),
        4 => text(r),
        5 => {
            let items: Vec<_> = (0..r.below(4)).map(|_| any_json(r, depth - 1)).collect();
            format!("[{}]", items.join(r.of(&[",", " , "])))
        }
        _ => {
            let entries: Vec<_> =
                (0..r.below(5)).map(|_| format!("\"{}\":{}", r.of(&["a", "b", "c", "d", ""]), any_json(r, depth - 1))).collect();
            format!("{{{}}}", entries.join(r.of(&[",", "\n, "])))
        }
    }
}

/// Mostly `json`, sometimes damaged.
fn mutated(json: String, r: &mut Random) -> Vec<u8> {
    let mut bytes = json.into_bytes();
    match r.below(24) {
        0 => bytes = r.of(JUNK).into(),
        1 => bytes.truncate(r.below(bytes.len() + 1)),
        2 => bytes.extend_from_slice(r.of(&[" ", "x", " {}", "\n", "]"]).as_bytes()),
        3 => {
            let at = r.below(bytes.len().max(1));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = r.next() as u8;
            }
        }
        4 => bytes.splice(0..0, r.of(&[" ", "\u{feff}", "\t\r\n"]).bytes()).for_each(drop),
        _ => {}
    }
    bytes
}

/// Makes values of a type.
type Payload = Box<dyn Fn(&mut Random) -> String>;

/// A type of Connect, as JSON without its braces, and how to make a value of it.
fn schema(r: &mut Random, depth: usize) -> (String, Payload) {
    let optional = r.of(&["", ",\"optional\":true", ",\"optional\":false"]);
    let (mut of, value): (String, Payload) = match r.below(if depth == 0 { 13 } else { 19 }) {
        0 => (plain("boolean"), Box::new(|r| r.of(&["true", "false"]).into())),
        1 => (plain("int8"), Box::new(|r| (r.next() as i8).to_string())),
        2 => (plain("int16"), Box::new(|r| (r.next() as i16).to_string())),
        3 => (plain("int32"), Box::new(|r| (r.next() as i32).to_string())),
        4 => (plain("int64"), Box::new(|r| (r.next() as i64 >> r.below(60)).to_string())),
        5 => (plain("float"), Box::new(number)),
        6 => (plain("double"), Box::new(number)),
        7 => (plain("string"), Box::new(text)),
        8 => (plain("bytes"), Box::new(|r| r.of(&["\"AQID\"", "\"\"", "\"/+8=\""]).into())),
        9 => (logical("int32", "Date", ""), Box::new(|r| (r.next() as i16).to_string())),
        10 => (logical("int32", "Time", ""), Box::new(|r| r.below(86_400_001).to_string())),
        11 => (logical("int64", "Timestamp", ""), Box::new(|r| (r.next() as i64 >> 22).to_string())),
        12 => {
            let parameters = ",\"parameters\":{\"scale\":\"2\"}";
            (
                logical("bytes", "Decimal", parameters),
                Box::new(|r| r.of(&["\"AJY=\"", "\"/w==\"", "12.34", "1.5", "7", "\"ASNFZ4mrze8=\""]).into()),
            )
        }
        13 | 14 => {
            let (items, item) = schema(r, depth - 1);
            let of = format!("\"type\":\"array\",\"items\":{{{items}}}");
            (of, Box::new(move |r| format!("[{}]", (0..r.below(3)).map(|_| item(r)).collect::<Vec<_>>().join(","))))
        }
        15 => {
            let (values, value) = schema(r, depth - 1);
            let of = format!("\"type\":\"map\",\"keys\":{{\"type\":\"string\"}},\"values\":{{{values}}}");
            let entry = move |r: &mut Random| format!("{}:{}", text(r), value(r));
            (of, Box::new(move |r| format!("{{{}}}", (0..r.below(3)).map(|_| entry(r)).collect::<Vec<_>>().join(","))))
        }
        16 => {
            let (values, value) = schema(r, depth - 1);
            let of = format!("\"type\":\"map\",\"keys\":{{\"type\":\"int32\"}},\"values\":{{{values}}}");
            let entry = move |r: &mut Random| format!("[{},{}]", r.below(5), value(r));
            (of, Box::new(move |r| format!("[{}]", (0..r.below(3)).map(|_| entry(r)).collect::<Vec<_>>().join(","))))
        }
        _ => structure(r, depth - 1),
    };
    if depth > 0 && r.one_in(8) {
        of += &format!(",\"default\":{}", value(r));
    }
    if r.one_in(10) {
        of += ",\"version\":1,\"doc\":\"d\"";
    }
    // Sometimes null, sometimes anything.
    let value = move |r: &mut Random| match r.below(24) {
        0 => "null".into(),
        1 => any_json(r, 1),
        _ => value(r),
    };
    (of + optional, Box::new(value))
}

fn plain(of: &str) -> String {
    format!("\"type\":\"{of}\"")
}

fn logical(of: &str, name: &str, parameters: &str) -> String {
    format!("\"type\":\"{of}\",\"name\":\"org.apache.kafka.connect.data.{name}\"{parameters}")
}

fn structure(r: &mut Random, depth: usize) -> (String, Payload) {
    let fields: Vec<_> = ["a", "b", "c", "d"][..r.below(4) + 1].iter().map(|name| (*name, schema(r, depth))).collect();
    let list: Vec<_> = fields.iter().map(|(name, (of, _))| format!("{{\"field\":\"{name}\",{of}}}")).collect();
    let of = format!("\"type\":\"struct\",\"fields\":[{}],\"name\":\"S\"", list.join(","));
    let value = move |r: &mut Random| {
        let mut entries = Vec::new();
        for (name, (_, value)) in &fields {
            if !r.one_in(20) {
                entries.push(format!("\"{name}\":{}", value(r)));
            }
        }
        if r.one_in(10) {
            entries.reverse();
        }
        if r.one_in(10) {
            entries.push("\"more\":[{}]".into());
        }
        format!("{{{}}}", entries.join(","))
    };
    (of, Box::new(value))
}

fn envelope(r: &mut Random) -> Vec<u8> {
    let (of, value) = if r.one_in(2) { structure(r, 2) } else { schema(r, 2) };
    let of = match r.below(40) {
        0 => of.replacen("\"type\"", "\"kind\"", 1),
        1 => of.replacen("int32", "int33", 1),
        2 => of.replace("\"b\"", "\"a\""),
        3 => of.replacen("\"items\"", "\"item\"", 1),
        4 => of.replacen("\"scale\":\"2\"", r.of(&["\"scale\":\"x\"", "\"scales\":\"2\"", "\"scale\":\"0\""]), 1),
        _ => of,
    };
    let payload = value(r);
    let whole = match r.below(40) {
        0 => format!("{{\"schema\":{{{of}}}}}"),
        1 => format!("{{\"payload\":{payload}}}"),
        2 => format!("{{\"schema\":{{{of}}},\"payload\":{payload},\"more\":1}}"),
        3 => payload,
        4 => format!("{{\"schema\":null,\"payload\":{}}}", any_json(r, 2)),
        5 => format!("{{\"payload\":{payload},\"schema\":{{{of}}}}}"),
        6 => format!("{{ \"schema\" : {{{of}}} , \"payload\" : {payload} }}"),
        7 => format!("{{\"schema\":{},\"payload\":{payload}}}", r.of(&["1", "\"int32\"", "[]", "{}"])),
        _ => format!("{{\"schema\":{{{of}}},\"payload\":{payload}}}"),
    };
    mutated(whole, r)
}

fn text_bytes(r: &mut Random) -> Vec<u8> {
    let n = r.below(12);
    match r.below(4) {
        0 => r.bytes(n),
        1 => r.of(&["", "a", "é", "日本", "😀", "\0", "\u{feff}x"]).into(),
        2 => r
            .of::<&[u8]>(&[
                b"\xc3",
                b"\xe3\x81",
                b"\xf0\x9f\x98",
                b"\xed\xa0\x80",
                b"\xc0\x80",
                b"a\xffb",
                b"\xf5\x80",
                b"\xe0\x80\x80",
                b"\xed\xb0\x80x",
                b"\xed\xa0",
                b"\xed\xa0x",
                b"\xf0\x80\x80\x80",
                b"\xf4\x90\x80\x80",
                b"\xf0\x9f\x98A",
                b"\xf0\x8f\xbf\xbf",
                b"\xe3\x81\xff",
                b"\xed\xa0\x80\xed\xb0\x80",
                b"\xfc\x80\x80",
                b"\xe3\xe3\x81\x82",
                b"\xc1\xbf",
            ])
            .to_vec(),
        _ => (0..n).map(|_| r.of(b"abc xyz 019")).collect(),
    }
}

fn header(r: &mut Random) -> Vec<u8> {
    const EDGES: &[&str] = &[
        "",
        " ",
        "null",
        "NULL",
        "true",
        "True",
        "false}",
        "a",
        "a b",
        "\"a\"",
        "[]",
        "{}",
        "[1, 2]",
        "[1,2,]",
        "[,]",
        "[1 2]",
        "[\"a\",1]",
        "[true,null]",
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        "a:b",
        "{\"a\":1}",
        "{\"a\" : [1, 2.5]}",
        "{a:1}",
        "{1:2}",
        "{\"a\"}",
        "{null:1}",
        "2020-01-02",
        "12:34:56.789Z",
        "2020-01-02T03:04:05.678Z",
        "[2020-01-02]",
        "\"2020-01-02\"",
        "[\"2020-01-02\"]",
        "2020-13-45",
        "1.0",
        "1.50",
        "+5",
        "0x10",
        "1e3",
        "1e-400",
        "1e400",
        "-",
        "- 1",
        " 7",
        "7 ",
        "007",
        "1_000",
        "٣",
        "1f",
        "NaN",
        "é",
        "\\\"",
        "a\\:b",
        "[[1],[2]]",
        "[{}]",
        "[{\"a\":[]}]",
        "{\"a\":{\"b\":null}}",
        "[1, \"",
        "[null",
        "{\"a\":",
        "9223372036854775808",
        "0.1",
        "123456789.125",
        "3.4e39",
    ];
    match r.below(5) {
        0 | 1 => r.of(EDGES).into(),
        2 => number(r).into_bytes(),
        3 => any_json(r, 2).into_bytes(),
        _ => {
            let n = r.below(10);
            if r.one_in(6) { r.bytes(n) } else { (0..n).map(|_| r.of(b"[]{}:,\"\\ a1.-T")).collect() }
        }
    }
}
