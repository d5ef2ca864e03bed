"""read.py duckdb|pyarrow FOLDER COLUMN: what the reader sees in all files below FOLDER, Parquet or JSON lines, as JSON.

count of rows; distinct, min and max of the integers in COLUMN; types: each column's type as the reader calls it.
"""

import json
import pathlib
import sys

reader, folder, column = sys.argv[1:]
files = sorted(str(f) for f in pathlib.Path(folder).rglob("*.*") if f.is_file())
parquet = files[0].endswith(".parquet")


def by_duckdb():
    import duckdb

    read = duckdb.read_parquet if parquet else duckdb.read_json
    source = read(files, union_by_name=True, hive_partitioning=False)
    name = '"' + column.replace('"', '""') + '"'
    found = source.aggregate(f"count(*), count(DISTINCT {name}), min({name}), max({name})").fetchall()[0]
    return *found, {c: str(t) for c, t in zip(source.columns, source.types)}


def by_pyarrow():
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    if parquet:
        schema = pa.unify_schemas([pq.read_schema(f) for f in files], promote_options="permissive")
        values = pa.chunked_array([c for f in files for c in pq.ParquetFile(f).read([column])[column].chunks])
    else:
        tables = [pj.read_json(f) for f in files]
        schema = pa.unify_schemas([t.schema for t in tables], promote_options="permissive")
        values = pa.chunked_array([c for t in tables for c in t[column].chunks])
    range_ = pc.min_max(values).as_py()
    return len(values), pc.count_distinct(values).as_py(), range_["min"], range_["max"], {f.name: str(f.type) for f in schema}


seen = {"duckdb": by_duckdb, "pyarrow": by_pyarrow}[reader]()
print(json.dumps(dict(zip(["count", "distinct", "min", "max", "types"], seen))))
