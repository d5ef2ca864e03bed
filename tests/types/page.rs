//! `docs/types.md`.

use std::fmt::Write as _;

use arrow_schema::{DataType, FieldRef};
use landfall_lake::types::{Iso, Types, Variable};
use parquet::basic::LogicalType;
use parquet::schema::types::Type;

use super::sources::{self, Source};
use super::{CONFLUENT, NATIVE, schema_of};

const BEGIN: &str = "<!-- Generated: make reference -->

# Types

What the values of a record become in a Parquet file, by the type that they have in their own format. A converter makes Arrow columns of
them that carry the Connect schema; `landfall.types` then says what the columns of a file are:

- `confluent`, the default of the two Confluent classes: what a reader of the Java sinks' files sees. Connect's four logical types are
  annotated, everything else is a plain number, text or group.
- `native`, the default of `io.landfall.azure.AzureDataLakeSink`: the types that the values are of.

It holds at every depth: in fields of structs, items of lists, keys and values of maps, and in the columns of `landfall.columns`. In files of
JSON it has no effect. A column's type depends on the schema alone, never on the values. A value that its column cannot hold is refused
as a record that the sink cannot take (`errors.tolerance`, stage `TASK_PUT`), with the path of the field and the value; nothing wraps, is
rounded or becomes null.

Two settings give the same topic two schemas: change `landfall.types` together with `topics.dir`, or rewrite the files that are there.
";

const END: &str = "
## Decimals

Connect's Decimal knows its scale. Its columns have the digits that the parameter `connect.decimal.precision` says, else 38. A scale below
nought becomes nought. Spark takes no more than 38 digits and DuckDB makes floating point numbers of such columns, so that a decimal whose
schema has more becomes one of 38: a value with more digits is refused. `landfall.types.wide.decimal=text` makes such columns text instead,
in both modes.

`io.debezium.data.VariableScaleDecimal` (Oracle's NUMBER, PostgreSQL's numeric without a scale) is its exact text in `native`, without an
exponent. `landfall.types.variable.decimal=38,9` makes it a decimal of 38 digits, 9 of them fractional; a number that is not one is refused.

## Dates and times

- Timestamps without a zone are not adjusted to UTC (Spark: `TIMESTAMP_NTZ`).
- Text that says a date or a time (`ZonedTimestamp`, `IsoDate`, `IsoTime`, `IsoTimestamp`) becomes one in microseconds;
  `landfall.types.iso=nanos` keeps nine digits, `text` keeps the text. What is no such text, has more digits, or is out of the 64 bits of the
  type is refused. An offset other than UTC is lost: the instant is the same.
- Microseconds reach from the year -290308 to 294247, nanoseconds from 1677 to 2262.
- Times of day are from 00:00 to before 24:00. MySQL's TIME, which may be longer, is refused outside of that: take `confluent`, or
  `time.precision.mode=isostring` and `landfall.types.iso=text`.
- `ZonedTime`, `Interval`, durations and years stay what they are: Parquet has no type of them that readers agree on.
- Structured dates and times stay groups: they hold special values too.

## What readers make of it

Measured with pyarrow 26, DuckDB 2.0 and Spark 4.2:

| Parquet | pyarrow | DuckDB | Spark |
|---|---|---|---|
| TIMESTAMP in milliseconds or microseconds | timestamp | TIMESTAMP, TIMESTAMP WITH TIME ZONE | timestamp_ntz, timestamp |
| TIMESTAMP in nanoseconds | timestamp[ns] | TIMESTAMP_NS | refused, unless `spark.sql.legacy.parquet.nanosAsLong` |
| TIME | time32, time64 | TIME, TIME WITH TIME ZONE | refused |
| JSON | string, as the extension type `arrow.json` where that is enabled | JSON | string |
| INTEGER(8), INTEGER(16) | int8, int16 | TINYINT, SMALLINT | tinyint, smallint |
| DECIMAL up to 38 digits | decimal128 | DECIMAL | decimal |

That is why UUIDs stay text (Spark refuses files with columns of them), and enums (pyarrow takes them for bytes).

## Names

`landfall.names=keep`, the default, calls columns what the fields are called: Parquet takes any text, also none. Names with a point need
backquotes in Spark's SQL. `landfall.names=spark` makes `_` of blanks, `,;{}()=`, points, backquotes, tabs, line ends and other control
characters, and of a name that is empty, at every depth: what is left can be a column of Hive and Delta tables. Two fields of a struct
whose names then differ at most in case cannot be told apart by Spark: records with such a schema are refused. Keys of maps are values,
and stay.
";

pub(super) fn page() -> String {
    let mut text = BEGIN.to_owned();
    for (heading, about, sources) in [
        ("Connect", "With `JsonConverter` and others that have Connect's own schemas.", sources::connect()),
        ("Debezium", "By the name of the schema, with any converter.", sources::debezium()),
        (
            "Avro",
            "With `io.confluent.connect.avro.AvroConverter`; logical types beside the type that they are on.",
            sources::avro(),
        ),
        ("Protobuf", "With `io.confluent.connect.protobuf.ProtobufConverter`.", sources::protobuf()),
        ("JSON Schema", "With `io.confluent.connect.json.JsonSchemaConverter`.", sources::json_schema()),
        ("JSON without a schema", "With `schemas.enable=false`; types are learned from the values.", sources::schemaless()),
    ] {
        let _ =
            writeln!(text, "\n## {heading}\n\n{about}\n\n| Type | Connect | Arrow | confluent | native |\n|---|---|---|---|---|");
        for Source { written, connect, field } in sources {
            let native = native(&field);
            let (arrow, confluent) = (arrow(field.data_type()), parquet(CONFLUENT, &field));
            let native = if native == confluent { "the same".to_owned() } else { native };
            let _ = writeln!(text, "| {} | {connect} | {arrow} | {confluent} | {native} |", written.replace('<', "&lt;"));
        }
    }
    text.push_str(END);
    text
}

/// What there is in native, by the keys that say more.
fn native(field: &FieldRef) -> String {
    let plain = parquet(NATIVE, field);
    let others = [
        (Types { iso: Iso::Nanos, ..NATIVE }, "landfall.types.iso=nanos"),
        (Types { iso: Iso::Text, ..NATIVE }, "landfall.types.iso=text"),
        (Types { variable: Variable::Decimal(38, 9), ..NATIVE }, "landfall.types.variable.decimal=38,9"),
        (Types { wide: landfall_lake::types::Wide::Text, ..NATIVE }, "landfall.types.wide.decimal=text"),
    ];
    let others = others.map(|(types, key)| (parquet(types, field), key));
    let others = others.iter().filter(|(other, _)| *other != plain).map(|(other, key)| format!("; {other} with `{key}`"));
    others.fold(plain.clone(), |text, other| text + &other)
}

/// An Arrow type, without what of it may be null.
pub(super) fn arrow(data_type: &DataType) -> String {
    match data_type {
        DataType::List(item) => format!("List({})", arrow(item.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(parts) => format!("Map({}, {})", arrow(parts[0].data_type()), arrow(parts[1].data_type())),
            other => arrow(other),
        },
        DataType::Struct(fields) => {
            let field = |field: &FieldRef| match field.name().as_str() {
                sources::ANY => field.name().clone(),
                name => format!("{name}: {}", arrow(field.data_type())),
            };
            let fields: Vec<_> = fields.iter().map(field).collect();
            format!("Struct({})", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// The Parquet type of the column of `field`.
fn parquet(types: Types, field: &FieldRef) -> String {
    let schema = schema_of(types, field.clone());
    shown(&schema.root_schema().get_fields()[0])
}

/// A column's type.
pub(super) fn shown(column: &Type) -> String {
    match column {
        Type::PrimitiveType { .. } if column.name() == sources::ANY => column.name().to_owned(),
        Type::PrimitiveType { physical_type, type_length, .. } => {
            let width = if *type_length > 0 { format!("({type_length})") } else { String::new() };
            format!("{physical_type}{width}{}", annotation(column).map(|a| format!(" {a}")).unwrap_or_default())
        }
        Type::GroupType { fields, .. } => match annotation(column).as_deref() {
            Some("LIST") => format!("LIST of {}", shown(&fields[0].get_fields()[0])),
            Some("MAP") => {
                let parts = fields[0].get_fields();
                format!("MAP of {} and {}", shown(&parts[0]), shown(&parts[1]))
            }
            _ => format!("group of {}", fields.iter().map(|field| shown(field)).collect::<Vec<_>>().join(", ")),
        },
    }
}

fn annotation(column: &Type) -> Option<String> {
    let logical = column.get_basic_info().logical_type_ref()?;
    Some(match logical {
        LogicalType::String => "STRING".to_owned(),
        LogicalType::Json => "JSON".to_owned(),
        LogicalType::List => "LIST".to_owned(),
        LogicalType::Map => "MAP".to_owned(),
        LogicalType::Date => "DATE".to_owned(),
        other => {
            let mut text = Vec::new();
            parquet::schema::printer::print_schema(&mut text, column);
            let text = String::from_utf8(text).expect("text");
            let annotation = text.rsplit_once(" (").and_then(|(_, rest)| rest.rsplit_once(");")).map(|(a, _)| a.to_owned());
            annotation.unwrap_or_else(|| format!("{other:?}"))
        }
    })
}
