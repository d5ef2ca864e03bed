"""landed.py QUESTION: what has become of numbered records, as JSON.

QUESTION is {"folders": [...], "matching": "...", "topics": {topic: {partition: [from, to]}}}: the offsets that were produced, and where to
look: every Parquet file below the folders whose path matches, except those that are hidden from readers. For each topic it says how many
records were produced, landed, duplicated (rows beyond the first of an offset) and lost, how many rows are wrong (not the record of their
offset, or of an offset that was not asked for), the number of files, and a few examples of what is not as it should be.
"""

import json
import pathlib
import re
import sys

import duckdb

question = json.loads(sys.argv[1])
files = sorted(
    str(file)
    for folder in question["folders"]
    for file in pathlib.Path(folder).rglob("*.parquet")
    if "_landfall" not in file.parts and re.search(question["matching"], str(file))
)
db = duckdb.connect()
db.sql("CREATE TABLE produced (t VARCHAR, p INTEGER, o BIGINT)")
db.sql("CREATE TABLE landed (t VARCHAR, p INTEGER, o BIGINT, wrong BOOLEAN, file VARCHAR)")
for topic, partitions in question["topics"].items():
    for partition, (begin, end) in partitions.items():
        db.execute("INSERT INTO produced SELECT ?, ?, unnest(range(?, ?))", [topic, int(partition), begin, end])
if files:
    source = db.read_parquet(files, union_by_name=True, hive_partitioning=False, filename=True)
    db.sql(
        """INSERT INTO landed SELECT __topic, __partition, __offset,
        partition IS DISTINCT FROM __partition OR number IS DISTINCT FROM __offset, filename FROM source"""
    )


def one(query, topic):
    return db.execute(query, [topic]).fetchall()[0]


def examples(topic):
    twice = "SELECT p, o, list(file) FROM landed WHERE t = ? GROUP BY p, o HAVING count(*) > 1 ORDER BY p, o LIMIT 5"
    for partition, offset, where in db.execute(twice, [topic]).fetchall():
        yield f"{partition}@{offset} is in {', '.join(where)}"
    lost = """SELECT p, min(o), max(o), count(*) FROM (SELECT p, o FROM produced pr WHERE t = ?
    AND NOT EXISTS (FROM landed l WHERE l.t = pr.t AND l.p = pr.p AND l.o = pr.o)) GROUP BY p ORDER BY p LIMIT 5"""
    for partition, first, last, count in db.execute(lost, [topic]).fetchall():
        yield f"{count} of {partition}@{first} to {last} are in no file"
    wrong = """SELECT p, o, file FROM landed l WHERE t = ? AND (wrong
    OR NOT EXISTS (FROM produced pr WHERE l.t = pr.t AND l.p = pr.p AND l.o = pr.o)) ORDER BY p, o LIMIT 5"""
    for partition, offset, where in db.execute(wrong, [topic]).fetchall():
        yield f"{where} has another record for {partition}@{offset}, or one of another topic"


def answer(topic):
    (produced,) = one("SELECT count(*) FROM produced WHERE t = ?", topic)
    landed, offsets, wrong, files = one(
        """SELECT count(*), count(DISTINCT (p, o)), count(*) FILTER (wrong OR NOT EXISTS (FROM produced pr
        WHERE l.t = pr.t AND l.p = pr.p AND l.o = pr.o)), count(DISTINCT file) FROM landed l WHERE t = ?""",
        topic,
    )
    (found,) = one(
        "SELECT count(*) FROM produced pr WHERE t = ? AND EXISTS (FROM landed l WHERE l.t = pr.t AND l.p = pr.p AND l.o = pr.o)",
        topic,
    )
    return {
        "produced": produced,
        "landed": landed,
        "duplicated": landed - offsets,
        "lost": produced - found,
        "wrong": wrong,
        "files": files,
        "examples": list(examples(topic)),
    }


print(json.dumps({topic: answer(topic) for topic in question["topics"]}))
