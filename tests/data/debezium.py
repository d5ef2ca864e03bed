"""debezium.py FOLDER TABLE: whether the rows below FOLDER, replayed by key, are the table that PostgreSQL has copied to the file TABLE.

Prints as JSON the number of rows, that of the files' schemas, and each difference. A column is read by its Debezium type; TABLE is CSV with
a header, nulls as \\N.
"""

import json
import pathlib
import sys

import duckdb
import pyarrow.parquet as pq

folder, table = sys.argv[1:]
files = sorted(str(f) for f in pathlib.Path(folder).rglob("*.parquet"))

# What a landed column says, as SQL for its value {0}; and the type that both sides are compared in. A column that is not here is compared as text.
KINDS = {
    "amount": ("{0}", "DECIMAL(38, 4)"),
    "price": ("{0}", "DECIMAL(38, 2)"),
    "real4": ("{0}", "FLOAT"),
    "real8": ("{0}", "DOUBLE"),
    "flag": ("{0}", "BOOLEAN"),
    "small": ("{0}", "SMALLINT"),
    "middle": ("{0}", "INTEGER"),
    "serial": ("{0}", "BIGINT"),
    "day": ("DATE '1970-01-01' + {0}", "DATE"),
    "clock": ("TIME '00:00' + to_microseconds({0})", "TIME"),
    "at": ("make_timestamp({0})", "TIMESTAMP"),
    "at_ms": ("make_timestamp({0} * 1000)", "TIMESTAMP"),
    "instant": ("{0}", "TIMESTAMPTZ"),
    "zoned": ("replace({0}, 'Z', '+00')", "VARCHAR"),
    "raw": ("'\\x' || lower(hex({0}))", "VARCHAR"),
    "numbers": ("'{{' || array_to_string({0}, ',') || '}}'", "VARCHAR"),
    "words": ("'{{' || array_to_string({0}, ',') || '}}'", "VARCHAR"),
}


def unscaled(value):
    """The number that a VariableScaleDecimal holds, as PostgreSQL prints it."""
    if value is None:
        return None
    digits = int.from_bytes(value["value"], "big", signed=True)
    scale = value["scale"]
    text = str(abs(digits)).rjust(scale + 1, "0")
    text = text[:-scale] + "." + text[-scale:] if scale > 0 else text
    return ("-" if digits < 0 else "") + text


db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")
db.execute(
    f"CREATE TABLE landed AS SELECT * FROM read_parquet({files!r}, union_by_name = true, hive_partitioning = false) "
    "QUALIFY row_number() OVER (PARTITION BY id ORDER BY __offset DESC) = 1"
)
db.execute("DELETE FROM landed WHERE __deleted = 'true'")
db.execute(f"CREATE TABLE wanted AS SELECT * FROM read_csv('{table}', header = true, all_varchar = true, nullstr = '\\N')")
types = dict(db.execute("SELECT column_name, column_type FROM (DESCRIBE landed)").fetchall())
differences = []
names = [name for (name, *_) in db.execute("DESCRIBE wanted").fetchall()]


def values(table, value, kind):
    """The values of one column by key, as text that is the same for the same value."""
    return dict(db.execute(f"SELECT CAST(id AS BIGINT), CAST(CAST({value} AS {kind}) AS VARCHAR) FROM {table}").fetchall())


for name in names:
    value, kind = KINDS.get(name, ("{0}", "VARCHAR"))
    if kind != "VARCHAR" and types[name] in (kind, "TIMESTAMP WITH TIME ZONE"):
        value = "{0}"  # an annotated type
    if types[name].startswith("STRUCT"):
        seen = {key: unscaled(of) for key, of in db.execute(f'SELECT id, "{name}" FROM landed').fetchall()}
    else:
        seen = values("landed", value.format(f'"{name}"'), kind)
    wanted = values("wanted", f"replace(\"{name}\", '$', '')" if name == "price" else f'"{name}"', kind)
    if seen.keys() != wanted.keys():
        differences.append(f"{name}: keys {sorted(seen)} are not {sorted(wanted)}")
        continue
    differences += [f"{name} of {key} ({types[name]}): {seen[key]!r} is not {wanted[key]!r}" for key in seen if seen[key] != wanted[key]]
rows = db.execute("SELECT count(*) FROM landed").fetchone()[0]
schemas = {str(pq.read_schema(f).remove_metadata()) for f in files}
print(json.dumps({"rows": rows, "schemas": len(schemas), "columns": len(names), "differences": differences}))
