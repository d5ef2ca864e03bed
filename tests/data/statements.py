"""statements.py ENGINE FOLDER: whether the statements of docs/databricks.md, synapse.md and fabric.md make a table of its changes.

FOLDER/_expected.json is the table, rows of customer_id, name, city and credit_limit; FOLDER/debezium, qlik and upserts hold the files of its
changes as each of them writes these. ENGINE is duckdb, which takes what all dialects of SQL share, or spark, with Delta Lake from the jars
in the folder LANDFALL_SPARK_JARS. A block is run if its fence has a name. The files come in an order of chance, some of them twice. Readers
that pass over names with an underscore are also given FOLDER as a whole.

Prints as JSON how often each block was run: {"document block": n}. Ends with the first table that is not the expected one.
"""

import collections
import json
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
engine, folder = sys.argv[1], pathlib.Path(sys.argv[2])
expected = [tuple(row) for row in json.loads((folder / "_expected.json").read_text())]
ran = collections.Counter()


class Document:
    """The blocks of a page that have a name, by language and name."""

    def __init__(self, name):
        self.name = name
        text = (ROOT / "docs" / f"{name}.md").read_text()
        self.blocks = {(m[1], m[2]): m[3] for m in re.finditer(r"^```(\w+) (\w+)\n(.*?)^```$", text, re.M | re.S)}

    def block(self, name, language="sql"):
        ran[f"{self.name} {name}"] += 1
        return self.blocks[language, name]


class DuckDB:
    def __init__(self):
        import duckdb

        self.connection = duckdb.connect()

    def run(self, text):
        # What only a dedicated pool knows.
        self.connection.execute(re.sub(r"\nWITH \(DISTRIBUTION = .*\)", "", text))

    def changes(self, files, all_files):
        """Makes the table customers_changes hold the rows of `files`, with the columns of `all_files`."""
        read = "FROM read_parquet({}, union_by_name = true, hive_partitioning = false)"
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS customers_changes AS {read.format(all_files)} LIMIT 0")
        self.connection.execute("TRUNCATE TABLE customers_changes")
        self.connection.execute(f"INSERT INTO customers_changes BY NAME {read.format(files)}")

    def rows(self, query):
        return self.connection.execute(query).fetchall()

    def restart(self):
        self.__init__()


class Spark:
    def __init__(self):
        from pyspark.sql import SparkSession

        self.home = pathlib.Path(tempfile.mkdtemp())
        self.session = (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.jars", ",".join(str(jar) for jar in pathlib.Path(os.environ["LANDFALL_SPARK_JARS"]).glob("*.jar")))
            .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
            .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
            .config("spark.sql.sources.default", "delta")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.databricks.delta.snapshotPartitions", "2")
            .config("spark.sql.streaming.schemaInference", "true")
            .config("spark.sql.warehouse.dir", str(self.home / "warehouse"))
            .config("spark.sql.session.timeZone", "UTC")
            .getOrCreate()
        )
        self.session.sparkContext.setLogLevel("OFF")

    def run(self, text):
        for statement in filter(None, map(str.strip, text.split(";"))):
            self.session.sql(statement)

    def changes(self, files, _):
        self.session.read.option("mergeSchema", "true").parquet(*files).createOrReplaceTempView("customers_changes")

    def rows(self, query):
        return [tuple(row) for row in self.session.sql(query).collect()]

    def restart(self):
        self.session.catalog.dropTempView("customers_changes")
        self.run("DROP VIEW IF EXISTS customers_now; DROP TABLE IF EXISTS customers")


def batches(source):
    """All files of a source, and these in an order of chance, a few at a time, some of them again."""
    files = sorted(str(file) for file in (folder / source).rglob("*.parquet"))
    chance = random.Random(source)
    order = chance.sample(files, len(files))
    size = -(-len(order) // (4 if engine == "duckdb" else 2))
    parts = [order[n : n + size] for n in range(0, len(order), size)]
    return files, [part + chance.sample(order[: n * size], min(2, n * size)) for n, part in enumerate(parts)]


def check(database, what, query="SELECT customer_id, name, city, credit_limit FROM customers_now ORDER BY customer_id"):
    found = database.rows(query)
    assert found == expected, f"{what}: {len(found)} rows in place of {len(expected)}: {sorted(set(found) ^ set(expected))[:6]}"


def table(document, source):
    text = document.block("table")
    return text.replace("__sequence BIGINT", "__sequence VARCHAR(40)") if source == "qlik" else text


def merged(database, document, source, apply="merge"):
    """Applies the files of `source`, and sees what later changes and deliveries would find."""
    files, parts = batches(source)
    database.restart()
    database.run(table(document, source))
    database.run(document.block("view"))
    view = document.block(source).replace("OR REPLACE TEMPORARY ", "" if apply == "apply" else "OR REPLACE TEMPORARY ")
    for n, part in enumerate(parts):
        database.changes(part, files)
        if n == 0 or "OR REPLACE" in view:
            database.run(view)
        if n == 0 and apply == "apply":
            database.run(document.block("warehouse"))
        database.run(document.block(apply))
    what = f"{document.name}, {source}, {apply}"
    check(database, what)
    if source != "qlik" and ("sql", "restart") in document.blocks:
        database.run(document.block("restart"))
        database.changes(files, files)
        database.run(document.block(apply))
        check(database, f"{what}, after a restart of offsets")
    gone = database.rows("SELECT COUNT(*) FROM customers WHERE __gone = 1")[0][0]
    assert gone > 0, f"{what}: no row was deleted"
    if ("sql", "purge") in document.blocks:
        database.run(document.block("purge"))
        assert database.rows("SELECT COUNT(*) FROM customers")[0][0] == len(expected), what
    if ("sql", "empty") in document.blocks:
        database.run(document.block("empty"))


def streamed(spark, document, source):
    """Applies the files of `source` as they come to a folder, by a stream."""
    place = pathlib.Path(tempfile.mkdtemp())
    landing = place / "topics" / "bank.customers"
    (landing / "partition=0").mkdir(parents=True)

    def run(name):
        text = document.block(name, "python")
        text = text.replace("abfss://landing@lakeaccount.dfs.core.windows.net", str(place))
        text = text.replace("Files/landing", str(place / "topics")).replace("Files/checkpoints", str(place / "_readers"))
        exec(text, names)

    names = {"spark": spark.session, "SEQUENCED": document.block(source).rstrip().rstrip(";"), "MERGE": document.block("merge").rstrip().rstrip(";")}
    spark.restart()
    spark.run(table(document, source))
    spark.run(document.block("view"))
    for n, part in enumerate(batches(source)[1]):
        for file in part:
            # What comes again has another name, else the stream would know it.
            shutil.copy(file, landing / "partition=0" / f"{n}-{pathlib.Path(file).name}")
        if ("python", "autoloader") in document.blocks:
            run("autoloader")
        run("stream")
    check(spark, f"{document.name}, {source}, stream")


def auto_loader():
    """Lets the open source reader of Parquet stand in for Auto Loader."""
    from pyspark.sql.streaming.readwriter import DataStreamReader

    source, option = DataStreamReader.format, DataStreamReader.option
    DataStreamReader.format = lambda self, name: source(self, "parquet" if name == "cloudFiles" else name)
    DataStreamReader.option = lambda self, key, value: option(
        self, *(("recursiveFileLookup", "true") if key == "cloudFiles.partitionColumns" else (key, value))
    )


def whole(seen):
    """Checks that a reader of the whole of FOLDER has seen the files that landed, and nothing below _landfall."""
    landed = {str(file.relative_to(folder)) for source in sources for file in (folder / source).rglob("*.parquet")}
    hidden = [file for file in folder.rglob("*.parquet") if "_landfall" in file.parts]
    assert hidden, "nothing is hidden"
    found = {str(pathlib.Path(file.removeprefix("file://")).relative_to(folder)) for file in seen}
    assert found == landed, sorted(found ^ landed)


databricks, synapse, fabric = map(Document, ["databricks", "synapse", "fabric"])
sources = ["debezium", "qlik", "upserts"]
if engine == "duckdb":
    import pyarrow.dataset

    whole(pyarrow.dataset.dataset(str(folder), format="parquet").files)
    database = DuckDB()
    for source in sources:
        for document in [databricks, synapse, fabric]:
            merged(database, document, source)
        merged(database, fabric, source, "apply")
        database.restart()
        files, _ = batches(source)
        database.changes(files, files)
        database.run(synapse.block(source))
        database.run(synapse.block("now"))
        check(database, f"synapse, {source}, serverless")
else:
    database = Spark()
    auto_loader()
    everything = database.session.read.option("recursiveFileLookup", "true").option("mergeSchema", "true").parquet(str(folder))
    whole(everything.inputFiles())
    ran["rows"] = everything.count()
    merged(database, databricks, "qlik")
    streamed(database, databricks, "debezium")
    streamed(database, databricks, "upserts")
    streamed(database, fabric, "qlik")
print(json.dumps(ran))
