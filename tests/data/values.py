"""values.py FOLDER: compares Parquet files with the rows that a reader is to see in them.

FOLDER/expected.json maps the names of files to {rows, duckdb}: rows as values of the form that tests/types/random.rs describes, and
whether DuckDB is to read the file too. Prints how many rows each reader saw, and what was otherwise, as JSON.
"""

import json
import pathlib
import struct
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as t

NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def bits(value):
    return "f:nan" if value != value else "f:" + struct.pack(">d", value).hex()


def integers(array):
    width = pa.int32() if array.type.bit_width == 32 else pa.int64()
    return array.view(width).to_pylist()


def shown(array):
    """The values of an array, one a row."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return shown(array.storage)
    if t.is_struct(kind):
        columns = [shown(column) for column in array.flatten()]
        names = [kind.field(n).name for n in range(kind.num_fields)]
        there = array.is_valid().to_pylist()
        return [dict(zip(names, row)) if ok else None for ok, *row in zip(there, *columns)]
    if t.is_map(kind) or t.is_list(kind):
        first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
        if t.is_map(kind):
            part = slice(first, last)
            items = [list(pair) for pair in zip(shown(array.keys[part]), shown(array.items[part]))]
        else:
            items = shown(array.values[first:last])
        offsets, there = array.offsets.to_pylist(), array.is_valid().to_pylist()
        return [items[a - first : b - first] if ok else None for ok, a, b in zip(there, offsets, offsets[1:])]
    if t.is_floating(kind):
        change = bits
    elif t.is_binary(kind) or t.is_large_binary(kind):
        change = lambda value: "b:" + value.hex()
    elif t.is_decimal(kind):
        change = lambda value: f"d:{value:f}"
    elif t.is_date32(kind):
        array, change = integers(array), lambda value: f"D:{value}"
    elif t.is_time(kind):
        unit = NANOS[kind.unit]
        array, change = integers(array), lambda value: f"T:{value * unit}"
    elif t.is_timestamp(kind):
        unit, zone = NANOS[kind.unit], "S" if kind.tz is None else "U"
        array, change = integers(array), lambda value: f"{zone}:{value * unit}"
    else:
        return array.to_pylist()
    values = array if isinstance(array, list) else array.to_pylist()
    return [None if value is None else change(value) for value in values]


def rows(table):
    columns = [[value for chunk in column.chunks for value in shown(chunk)] for column in table.columns]
    return [dict(zip(table.column_names, row)) for row in zip(*columns)]


folder = pathlib.Path(sys.argv[1])
seen, otherwise = {"pyarrow": 0, "duckdb": 0}, []
database = duckdb.connect()
database.execute("SET TimeZone = 'UTC'")
for name, expected in json.loads((folder / "expected.json").read_text()).items():
    path = str(folder / name)
    readers = {"pyarrow": lambda: pq.ParquetFile(path).read()}
    if expected["duckdb"]:
        readers["duckdb"] = lambda: database.read_parquet(path).to_arrow_table()
    for reader, read in readers.items():
        try:
            found = rows(read())
        except Exception as error:
            otherwise.append([name, reader, f"{type(error).__name__}: {error}"])
            continue
        seen[reader] += len(found)
        if found != expected["rows"]:
            differ = [[a, b] for a, b in zip(found, expected["rows"]) if a != b]
            otherwise.append([name, reader, len(found), len(expected["rows"]), *differ[:1]])
print(json.dumps({"seen": seen, "otherwise": otherwise}))
