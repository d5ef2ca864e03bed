"""avro_rows.py FOLDER: the rows that pyarrow sees in the Parquet files below FOLDER, by the order of the names, as JSON.

Decimals are shown as text, timestamps as milliseconds since the epoch.
"""

import datetime
import decimal
import json
import pathlib
import sys

import pyarrow.parquet as pq

files = sorted(pathlib.Path(sys.argv[1]).rglob("*.parquet"))
rows = [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def shown(value):
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    raise TypeError(value)


print(json.dumps(rows, default=shown))
