"""rows.py duckdb|pyarrow FOLDER: the rows that the reader sees in the Parquet files below FOLDER, by the order of the names, as JSON.

Bytes are shown as text, timestamps as milliseconds since the epoch.
"""

import datetime
import json
import pathlib
import sys

reader, folder = sys.argv[1:]
files = sorted(str(f) for f in pathlib.Path(folder).rglob("*.parquet"))
if reader == "duckdb":
    import duckdb

    found = duckdb.read_parquet(files, union_by_name=True, hive_partitioning=False)
    # Python's own timestamps with a zone would need another package.
    zoned = [c for c, t in zip(found.columns, found.types) if str(t) == "TIMESTAMP WITH TIME ZONE"]
    if zoned:
        found = found.project("* REPLACE (" + ", ".join(f'epoch_ms("{c}") AS "{c}"' for c in zoned) + ")")
    rows = [dict(zip(found.columns, row)) for row in found.fetchall()]
else:
    import pyarrow.parquet as pq

    rows = [row for f in files for row in pq.ParquetFile(f).read().to_pylist()]


def shown(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    raise TypeError(value)


print(json.dumps(rows, default=shown))
