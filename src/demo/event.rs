//! How the bank's changes look in Kafka: as Debezium's connectors and its `ExtractNewRecordState` write them.
//!
//! | topic | shape |
//! |---|---|
//! | `bank.customers` | flattened, with a schema: its decimals and times land as such |
//! | `bank.accounts` | envelope with `before` and `after`, without a schema |
//! | `bank.transactions` | flattened, without a schema |
//!
//! Keys are JSON objects. No tombstones follow deletes (`tombstones.on.delete=false`, `delete.tombstone.handling.mode=rewrite`).

use std::fmt::{self, Write as _};

use super::bank::{Account, Change, Customer, Images, Transaction};
use super::clock::Utc;

/// A topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) partitions: i32,
}

pub(super) const CUSTOMERS: Topic = Topic { name: "bank.customers", partitions: 2 };
pub(super) const ACCOUNTS: Topic = Topic { name: "bank.accounts", partitions: 4 };
pub(super) const TRANSACTIONS: Topic = Topic { name: "bank.transactions", partitions: 4 };

/// Every topic.
pub(super) const TOPICS: [&Topic; 3] = [&CUSTOMERS, &ACCOUNTS, &TRANSACTIONS];

/// A change as a record of Kafka. Made once, and written again for each change.
#[derive(Debug)]
pub(super) struct Event {
    /// Which of [`TOPICS`].
    pub(super) topic: usize,
    /// The same for all changes of a row.
    pub(super) partition: i32,
    pub(super) key: String,
    pub(super) value: String,
    /// How many events there were.
    number: u64,
}

impl Event {
    pub(super) const fn new() -> Self {
        Self { topic: 0, partition: 0, key: String::new(), value: String::new(), number: 0 }
    }

    /// Becomes the record of `change`, made at `now`.
    pub(super) fn write(&mut self, change: &Change, now: i64) {
        self.number += 1;
        self.key.clear();
        self.value.clear();
        // A String takes whatever is written.
        let _ = match change {
            Change::Customer(images) => self.customer(images, now),
            Change::Account(images) => self.account(images, now),
            Change::Transaction(images) => self.transaction(images, now),
        };
    }

    fn place(&mut self, topic: usize, column: &str, id: i64) -> fmt::Result {
        (self.topic, self.partition) = (topic, id.rem_euclid(i64::from(TOPICS[topic].partitions)) as i32);
        write!(self.key, "{{\"{column}\":{id}}}")
    }

    fn customer(&mut self, images: &Images<Customer>, now: i64) -> fmt::Result {
        let Some(Customer { id, name, email, city, segment, credit_limit, since }) = row(images) else { return Ok(()) };
        self.place(0, "customer_id", *id)?;
        write!(
            self.value,
            "{{\"schema\":{CUSTOMER_SCHEMA},\"payload\":{{\"customer_id\":{id},\"name\":\"{name}\",\"email\":\"{email}\",\
             \"city\":\"{city}\",\"segment\":\"{segment}\",\"credit_limit\":{},\"customer_since\":{since},\"changed_at\":{now},{}}}}}",
            Cents(*credit_limit),
            Flags(images),
        )
    }

    fn account(&mut self, images: &Images<Account>, now: i64) -> fmt::Result {
        let Some(account) = row(images) else { return Ok(()) };
        self.place(1, "account_id", account.id)?;
        let (before, after, number) = (Image(images.before.as_ref()), Image(images.after.as_ref()), self.number);
        write!(
            self.value,
            "{{\"before\":{before},\"after\":{after},\"source\":{{\"connector\":\"bank\",\"name\":\"bank\",\"db\":\"bank\",\
             \"table\":\"accounts\",\"lsn\":{number},\"ts_ms\":{now}}},\"op\":\"{}\",\"ts_ms\":{now}}}",
            images.op(),
        )
    }

    fn transaction(&mut self, images: &Images<Transaction>, now: i64) -> fmt::Result {
        let Some(Transaction { id, account, kind, counterparty, amount, booked, made }) = row(images) else { return Ok(()) };
        self.place(2, "transaction_id", *id)?;
        let status = if *booked { "booked" } else { "pending" };
        write!(
            self.value,
            "{{\"transaction_id\":{id},\"account_id\":{account},\"kind\":\"{kind}\",\"counterparty\":\"{counterparty}\",\
             \"amount\":{},\"status\":\"{status}\",\"made_at\":\"{}\",\"__source_ts_ms\":{now},{}}}",
            Cents(*amount),
            Utc(*made),
            Flags(images),
        )
    }
}

/// The row that a flattened record shows: the last one that there was.
fn row<T>(images: &Images<T>) -> Option<&T> {
    images.after.as_ref().or(images.before.as_ref())
}

/// What `ExtractNewRecordState` adds to a row.
struct Flags<'a, T>(&'a Images<T>);

impl<T> fmt::Display for Flags<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"__op\":\"{}\",\"__deleted\":\"{}\"", self.0.op(), self.0.after.is_none())
    }
}

/// An account in an envelope.
struct Image<'a>(Option<&'a Account>);

impl fmt::Display for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Account { id, customer, iban, kind, balance }) = self.0 else { return f.write_str("null") };
        write!(
            f,
            "{{\"account_id\":{id},\"customer_id\":{customer},\"iban\":\"{iban}\",\"kind\":\"{kind}\",\"balance\":{}}}",
            Cents(*balance)
        )
    }
}

/// An amount with its two decimals, so that every value of a column looks like a fraction.
struct Cents(i64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

const CUSTOMER_SCHEMA: &str = concat!(
    r#"{"type":"struct","optional":false,"name":"bank.customers.Value","fields":["#,
    r#"{"field":"customer_id","type":"int64","optional":false},"#,
    r#"{"field":"name","type":"string","optional":false},"#,
    r#"{"field":"email","type":"string","optional":true},"#,
    r#"{"field":"city","type":"string","optional":true},"#,
    r#"{"field":"segment","type":"string","optional":true},"#,
    r#"{"field":"credit_limit","type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"#,
    r#""parameters":{"scale":"2","connect.decimal.precision":"12"}},"#,
    r#"{"field":"customer_since","type":"int32","optional":true,"name":"org.apache.kafka.connect.data.Date","version":1},"#,
    r#"{"field":"changed_at","type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1},"#,
    r#"{"field":"__op","type":"string","optional":true},"#,
    r#"{"field":"__deleted","type":"string","optional":true}]}"#,
);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::demo::bank::Bank;

    fn event(change: &Change) -> (Event, Value, Value) {
        let mut event = Event::new();
        event.write(change, 1_700_000_000_000);
        let (key, value) = (serde_json::from_str(&event.key), serde_json::from_str(&event.value));
        (event, key.expect("a key"), value.expect("a value"))
    }

    fn account(balance: i64) -> Account {
        Account { id: 6, customer: 2, iban: "DE1".into(), kind: "checking", balance }
    }

    #[test]
    fn accounts_come_in_envelopes() {
        let update = Change::Account(Images { before: Some(account(5)), after: Some(account(-120)) });
        let (event, key, value) = event(&update);
        assert_eq!((event.topic, event.partition, key), (1, 2, json!({"account_id": 6})));
        let image =
            |balance: f64| json!({"account_id": 6, "customer_id": 2, "iban": "DE1", "kind": "checking", "balance": balance});
        assert_eq!((&value["before"], &value["after"]), (&image(0.05), &image(-1.2)));
        assert_eq!(
            (&value["op"], &value["ts_ms"], &value["source"]["lsn"]),
            (&json!("u"), &json!(1_700_000_000_000_i64), &json!(1))
        );
        assert!(event.value.contains("\"balance\":-1.20"), "{}", event.value);
        let (_, _, value) = self::event(&Change::Account(Images { before: Some(account(0)), after: None }));
        assert_eq!((&value["op"], &value["after"]), (&json!("d"), &Value::Null));
    }

    #[test]
    fn transactions_are_flattened() {
        let payment = Transaction {
            id: 9,
            account: 6,
            kind: "card",
            counterparty: "Phone & Web",
            amount: -1_999,
            booked: false,
            made: 1_699_999_999_000,
        };
        let (_, key, value) = event(&Change::Transaction(Images { before: Some(payment), after: None }));
        assert_eq!(key, json!({"transaction_id": 9}));
        let row = json!({
            "transaction_id": 9, "account_id": 6, "kind": "card", "counterparty": "Phone & Web", "amount": -19.99, "status": "pending",
            "made_at": "2023-11-14T22:13:19.000Z", "__source_ts_ms": 1_700_000_000_000_i64, "__op": "d", "__deleted": "true",
        });
        assert_eq!(value, row);
    }

    #[test]
    fn customers_have_a_schema_for_every_field() {
        let mut bank = Bank::new(1);
        let (_, key, value) = event(&bank.next(1_700_000_000_000));
        assert_eq!(key, json!({"customer_id": 1}));
        let fields = value["schema"]["fields"].as_array().into_iter().flatten().map(|field| field["field"].as_str());
        let payload = value["payload"].as_object().expect("a payload");
        assert!(fields.eq(payload.keys().map(|name| Some(name.as_str()))), "{value}");
        assert_eq!((&payload["__op"], &payload["__deleted"]), (&json!("c"), &json!("false")));
    }
}
