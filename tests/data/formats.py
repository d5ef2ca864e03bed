"""formats.py FOLDER: the rows of every file below FOLDER, each by what reads its format, as JSON: {reader: {file: [row, ...]}}.

Rows of Avro are records, or values by themselves; of JSON objects; of CSV lists of texts; of raw bytes lines.
"""

import bz2
import csv
import gzip
import io
import json
import pathlib
import sys

import cramjam
import fastavro
from backports import zstd

folder = pathlib.Path(sys.argv[1])
found = {"python": {}, "duckdb": {}, "pyarrow": {}}


def from_java(data):
    """What snappy-java's SnappyOutputStream wrote."""
    assert data[:8] == b"\x82SNAPPY\0"
    plain, at = bytearray(), 16
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        plain += bytes(cramjam.snappy.decompress_raw(data[at + 4 : at + 4 + length]))
        at += 4 + length
    return bytes(plain)


COMPRESSION = {".gz": gzip.decompress, ".snappy": from_java, ".zst": zstd.decompress, ".bz2": bz2.decompress}


def by_duckdb(path, kind):
    import duckdb

    if kind == ".csv":
        rows = duckdb.read_csv(str(path), all_varchar=True, header=False)
    else:
        rows = duckdb.read_json(str(path))
    return [list(row) if kind == ".csv" else dict(zip(rows.columns, row)) for row in rows.fetchall()]


def by_pyarrow(data, kind):
    import pyarrow.csv as pc
    import pyarrow.json as pj

    if kind == ".csv":
        options = pc.ReadOptions(autogenerate_column_names=True)
        table = pc.read_csv(io.BytesIO(data), read_options=options, parse_options=pc.ParseOptions(newlines_in_values=True))
        return [[None if v is None else str(v) for v in row.values()] for row in table.to_pylist()]
    return pj.read_json(io.BytesIO(data)).to_pylist()


for path in sorted(f for f in folder.rglob("*") if f.is_file()):
    name = str(path.relative_to(folder))
    suffixes = [s for s in path.suffixes]
    data = path.read_bytes()
    if suffixes[-1] in COMPRESSION:
        data = COMPRESSION[suffixes.pop()](data)
    kind = suffixes[-1]
    if kind == ".avro":
        found["python"][name] = list(fastavro.reader(io.BytesIO(data)))
    elif kind == ".json":
        array = data[:1] == b"["
        found["python"][name] = json.loads(data) if array else [json.loads(line) for line in data.splitlines()]
        if not path.name.endswith(".snappy"):
            found["duckdb"][name] = by_duckdb(path, kind)
        if not array:
            found["pyarrow"][name] = by_pyarrow(data, kind)
    elif kind == ".csv":
        found["python"][name] = list(csv.reader(io.StringIO(data.decode(), newline="")))
        if not path.name.endswith(".snappy"):
            found["duckdb"][name] = by_duckdb(path, kind)
        found["pyarrow"][name] = by_pyarrow(data, kind)
    else:
        found["python"][name] = data.decode("latin-1").split("\n")

print(json.dumps(found, default=lambda v: v.isoformat() if hasattr(v, "isoformat") else v.decode("latin-1") if isinstance(v, bytes) else str(v)))
