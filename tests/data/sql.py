"""sql.py QUERY: the rows that a query gives in DuckDB, as JSON."""

import json
import sys

import duckdb

print(json.dumps(duckdb.sql(sys.argv[1]).fetchall(), default=str))
