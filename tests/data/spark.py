"""spark.py FOLDER: has Spark read each Parquet file that FOLDER/expected.json names, and write the rows to FOLDER/spark.

With them goes an expected.json without DuckDB, for values.py. Prints the number of files, as JSON.
"""

import json
import pathlib
import shutil
import sys

from pyspark.sql import SparkSession

folder = pathlib.Path(sys.argv[1])
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")
expected = json.loads((folder / "expected.json").read_text())
(folder / "spark").mkdir()
for name, rows in expected.items():
    rows["duckdb"] = False
    out = folder / "spark" / f"{name}.d"
    spark.read.parquet(str(folder / name)).coalesce(1).write.parquet(str(out))
    [part] = out.glob("part-*.parquet")
    part.rename(folder / "spark" / name)
    shutil.rmtree(out)
(folder / "spark" / "expected.json").write_text(json.dumps(expected))
print(json.dumps({"files": len(expected)}))
