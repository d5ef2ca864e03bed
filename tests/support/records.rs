//! Change events of an orders table: 14 fields, the same for the same seed.

use std::fmt::Write as _;

/// The fields in their order: name, Connect type, logical name if any, whether it may be null.
pub(crate) const FIELDS: [(&str, &str, Option<&str>, bool); 14] = [
    ("id", "int64", None, false),
    ("customer_id", "int32", None, false),
    ("order_no", "string", None, false),
    ("status", "string", None, false),
    ("amount", "string", None, true),
    ("currency", "string", None, true),
    ("qty", "int32", None, false),
    ("email", "string", None, true),
    ("note", "string", None, true),
    ("created_at", "int64", Some("io.debezium.time.MicroTimestamp"), true),
    ("updated_at", "string", Some("io.debezium.time.ZonedTimestamp"), true),
    ("__op", "string", None, true),
    ("__deleted", "boolean", None, true),
    ("__source_ts_ms", "int64", None, true),
];

const STATUSES: [&str; 6] = ["NEW", "PAID", "PACKED", "ON ITS WAY", "DELIVERED", "CANCELLED"];
const CURRENCIES: [&str; 4] = ["EUR", "USD", "CHF", "JPY"];
const WORDS: [&str; 12] =
    ["please", "ring", "at", "the", "side", "door", "fragile", "café", "neighbour", "gift", "before", "noon"];

/// A sequence of pseudo-random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).expect("an index")]
    }
}

/// Writes change events one after the other, numbered from nought.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    random: Random,
    next: u64,
    /// What stands before and after the event itself.
    around: (String, &'static str),
}

impl Orders {
    /// Events as plain JSON objects.
    pub(crate) fn schemaless(seed: u64) -> Self {
        Self { random: Random::new(seed), next: 0, around: (String::new(), "") }
    }

    /// The same events as the payload of Connect's envelope, each with its schema.
    pub(crate) fn with_schema(seed: u64) -> Self {
        let fields = FIELDS.map(|(field, kind, name, optional)| {
            let name = name.map(|name| format!(r#""name":"{name}","version":1,"#)).unwrap_or_default();
            format!(r#"{{"type":"{kind}","optional":{optional},{name}"field":"{field}"}}"#)
        });
        let head = format!(
            r#"{{"schema":{{"type":"struct","fields":[{}],"optional":false,"name":"shop.public.orders.Value"}},"payload":"#,
            fields.join(",")
        );
        Self { random: Random::new(seed), next: 0, around: (head, "}") }
    }

    /// Replaces `out` by the next event and says its number, which is also its `id`.
    pub(crate) fn write(&mut self, out: &mut String) -> u64 {
        let (id, r) = (self.next, &mut self.random);
        self.next += 1;
        out.clear();
        out.push_str(&self.around.0);
        let millis = 1_760_000_000_000 + id * 7 + r.below(5);
        let second = millis / 1000 % 86_400;
        let cents = r.below(5_000_000);
        let (customer, order, quantity) = (r.below(200_000), r.below(10_000_000_000), 1 + r.below(20));
        let (status, currency) = (r.pick(&STATUSES), r.pick(&CURRENCIES));
        let email = (r.below(5) > 0).then(|| format!("\"user{}@example.com\"", r.below(200_000)));
        let note = (r.below(2) > 0).then(|| {
            let words: Vec<&str> = (0..4 + r.below(5)).map(|_| r.pick(&WORDS)).collect();
            format!("\"{}\"", words.join(" "))
        });
        let (email, note) = (email.as_deref().unwrap_or("null"), note.as_deref().unwrap_or("null"));
        write!(
            out,
            r#"{{"id":{id},"customer_id":{customer},"order_no":"ORD-{order:010}","status":"{status}","amount":"{}.{:02}","currency":"{currency}","qty":{quantity},"email":{email},"note":{note},"created_at":{},"updated_at":"2025-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z","__op":"{}","__deleted":{},"__source_ts_ms":{millis}}}"#,
            cents / 100,
            cents % 100,
            millis * 1000 + r.below(1000),
            1 + millis / 86_400_000 / 28 % 12,
            1 + millis / 86_400_000 % 28,
            second / 3600,
            second / 60 % 60,
            second % 60,
            millis % 1000,
            ["c", "u", "u", "r"][usize::try_from(r.below(4)).expect("an index")],
            r.below(100) == 0,
        )
        .expect("a string takes it");
        out.push_str(self.around.1);
        id
    }
}

impl Iterator for Orders {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut event = String::with_capacity(400);
        self.write(&mut event);
        Some(event)
    }
}
