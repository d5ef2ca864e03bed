//! How the Connect schema of a value rides on its Arrow field: the metadata keys, and the names of Connect's logical types.

use arrow_schema::Field;

/// The schema's name.
pub const NAME: &str = "connect.name";
/// The schema's version.
pub const VERSION: &str = "connect.version";
/// The schema's documentation.
pub const DOC: &str = "connect.doc";
/// The default value, as JSON in the form of Java's `JsonConverter`.
pub const DEFAULT: &str = "connect.default";
/// What the key of a parameter of the schema begins with.
pub const PARAMETER: &str = "connect.parameter.";
/// Marks fields of values without a schema: `true`, or [`JSON`].
pub const SCHEMALESS: &str = "connect.schemaless";
/// The mark of a string column that holds the JSON of values of several types.
pub const JSON: &str = "json";
/// The logical type of a format that Connect has none for, such as Avro's `timestamp-micros` on an int64.
pub const LOGICAL: &str = "landfall.logical";

/// `org.apache.kafka.connect.data.Decimal`: Arrow's `Decimal128`, or `Decimal256` for more than 38 digits.
pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
/// `org.apache.kafka.connect.data.Date`: Arrow's `Date32`.
pub const DATE: &str = "org.apache.kafka.connect.data.Date";
/// `org.apache.kafka.connect.data.Time`: Arrow's `Time32(Millisecond)`.
pub const TIME: &str = "org.apache.kafka.connect.data.Time";
/// `org.apache.kafka.connect.data.Timestamp`: Arrow's `Timestamp(Millisecond, UTC)`.
pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";

/// The name of the schema of `field`'s values.
#[must_use]
pub fn name(field: &Field) -> Option<&str> {
    field.metadata().get(NAME).map(String::as_str)
}

/// Whether values of `field` have no schema.
#[must_use]
pub fn is_schemaless(field: &Field) -> bool {
    field.metadata().contains_key(SCHEMALESS)
}

/// Whether `field` holds JSON: values of several types, without a schema.
#[must_use]
pub fn is_json(field: &Field) -> bool {
    field.metadata().get(SCHEMALESS).is_some_and(|mark| mark == JSON)
}
