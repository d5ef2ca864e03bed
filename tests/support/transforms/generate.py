#!/usr/bin/env python3
"""Writes case files with records by chance for TransformHarness.java: generate.py FOLDER [RECORDS [SEED]].

Each class gets RECORDS records (10000), in cases of 20 that share a configuration and a schema. What is known to differ from Java, and
docs/transforms.md or a module says so, does not come up; the remarks that begin with "Differs" say which.
"""
import json
import random
import sys
import time
from decimal import Decimal
from pathlib import Path

APACHE = "org.apache.kafka.connect.transforms."
DEBEZIUM = "io.debezium.transforms."
CONNECT = "org.apache.kafka.connect.data."
NAMES = ["a", "b", "c", "d", "e", "f g", "g.h", "ü"]
BATCH = 20
R = random.Random()


def chance(p):
    return R.random() < p


def number(text):
    """A number that JSON shows just so: it keeps the zeros of its scale."""
    return f"@number {text}@"


# Schemas and values for them -------------------------------------------------------------------------------------------------------------

def logical(base, name, **more):
    return {"type": base, "name": CONNECT + name, "version": 1, **more}


PRIMITIVES = {
    "int8": lambda: {"type": "int8"},
    "int16": lambda: {"type": "int16"},
    "int32": lambda: {"type": "int32"},
    "int64": lambda: {"type": "int64"},
    "float": lambda: {"type": "float"},
    "double": lambda: {"type": "double"},
    "boolean": lambda: {"type": "boolean"},
    "string": lambda: {"type": "string"},
    "bytes": lambda: {"type": "bytes"},
    "decimal": lambda: logical("bytes", "Decimal", parameters={"scale": str(R.choice([0, 0, 1, 2, 5]))}),
    "date": lambda: logical("int32", "Date"),
    "time": lambda: logical("int32", "Time"),
    "timestamp": lambda: logical("int64", "Timestamp"),
}


def schema(depth=1, kinds=None, attributes=True):
    """Of a field: with a default, optional, or neither."""
    if depth and not kinds and chance(0.3):
        kind = R.choice(["struct", "struct", "array", "map"])
        if kind == "struct":
            made = struct(depth - 1, R.randint(1, 3))
        elif kind == "array":
            made = {"type": "array", "items": schema(depth - 1, attributes=False)}
        else:
            made = {"type": "map", "keys": {"type": "string"}, "values": schema(depth - 1, attributes=False)}
    else:
        made = PRIMITIVES[R.choice(kinds or list(PRIMITIVES))]()
    if chance(0.5):
        made["optional"] = True
    if attributes and made["type"] not in ("struct", "array", "map", "bytes") and chance(0.2):
        made["default"] = value(made, nulls=0)
    if attributes and "name" not in made and made["type"] != "struct" and chance(0.1):
        made |= {"name": "n." + R.choice("xyz"), "version": R.randint(1, 3)}
    if attributes and chance(0.1):
        made["doc"] = "what it is"
    return made


def struct(depth=1, size=None, kinds=None):
    names = R.sample(NAMES, size or R.randint(1, 6))
    made = {"type": "struct", "fields": [{**schema(depth, kinds), "field": name} for name in names]}
    if chance(0.4):
        made |= {"name": "s." + R.choice("xyz"), "version": R.randint(1, 3)}
    return made


def text():
    return R.choice(["", " ", "x", "true", "FALSE", "7", "-12", "1.5", "3000000000", "1e3", "2024-02-29", "ü€😀", "a b", "null", "12:34:56",
                     "%d" % R.randint(-10**6, 10**6), "2024-01-15T10:30:00.000Z", "abc" * R.randint(1, 5)])


def whole(bits):
    most = 2 ** (bits - 1) - 1
    return R.choice([0, 1, -1, most, -most - 1, R.randint(-100, 100), R.randint(-most, most)])


def fraction():
    # Differs: digits that a JVM before 19 writes too many of.
    return R.choice([0.0, 1.5, -0.25, 1024.0, 0.5, -3.75, 1e10, R.randint(-4000, 4000) / 4])


def millis():
    return R.choice([0, 1, -1, 86_399_999, 1_700_000_000_123, R.randint(-10**12, 4 * 10**12)])


def decimal(scale):
    return number(Decimal(R.choice([0, 1, -1, R.randint(-10**9, 10**9)])).scaleb(-scale).__format__("f"))


def value(of, nulls=0.3):
    if of.get("optional") and chance(nulls):
        return None
    kind, name = of["type"], of.get("name", "").removeprefix(CONNECT)
    if kind == "struct":
        return {field["field"]: value(field, nulls) for field in of["fields"]}
    if kind == "array":
        return [value(of["items"], nulls) for _ in range(R.randint(0, 3))]
    if kind == "map":
        return {key: value(of["values"], nulls) for key in R.sample(NAMES, R.randint(0, 3))}
    if name == "Decimal":
        return decimal(int(of["parameters"]["scale"]))
    if name == "Date":
        return R.choice([0, 1, -1, 19_000, R.randint(-30_000, 60_000)])
    if name == "Time":
        return R.choice([0, 86_399_999, R.randint(0, 86_399_999)])
    if name == "Timestamp":
        return millis()
    if kind.startswith("int"):
        return whole(int(kind[3:]))
    if kind == "bytes":
        return R.choice(["", "AA==", "/wD+", "aGVsbG8="])
    return {"float": fraction, "double": fraction, "boolean": lambda: chance(0.5), "string": text}[kind]()


SCHEMALESS = ["int64", "double", "boolean", "string"]


def plain(of, nulls=0.2):
    """A value for a schema that it does not come with: nulls and absent fields anywhere."""
    if chance(nulls):
        return None
    if of["type"] == "struct":
        made = {field["field"]: plain(field, nulls) for field in of["fields"] if not nulls or chance(0.85)}
        if all(member is None for member in made.values()):
            # Differs: a map that has nothing in it is null.
            field = R.choice(of["fields"])
            made[field["field"]] = plain(field, 0)
        return made
    if of["type"] == "array":
        return [plain(of["items"], 0) for _ in range(R.randint(1, 3))]
    made = value({**of, "optional": False})
    return made + 0.5 if isinstance(made, float) and made.is_integer() else made


def plain_schema(kinds=None, depth=1):
    def member():
        if depth and not kinds and chance(0.25):
            return plain_schema(depth=depth - 1) if chance(0.6) else {"type": "array", "items": {"type": R.choice(SCHEMALESS)}}
        return {"type": R.choice(kinds or SCHEMALESS)}
    return {"type": "struct", "fields": [{**member(), "field": name} for name in R.sample(NAMES, R.randint(1, 6))]}


# Cases -----------------------------------------------------------------------------------------------------------------------------------

def headers():
    # Differs: Java reads a number or a time and writes it anew, here a header keeps its text. These are the same anew.
    words = ["", "x", "12", "-7", "1.5", "true", "a b", "ü€😀", "3000000000", "[1,2]", "2024-01-15T10:30:00.000Z", None]
    return [[R.choice("hijk"), R.choice(words)] for _ in range(R.randint(0, 3))]


def case(config, part="value", of=None, schemaless=None, kinds=None, nulls=0.3, tombstones=0.05, **more):
    """Records of one schema, or of none; the other part of them is text."""
    schemaless = chance(0.35) if schemaless is None else schemaless
    of = of or (plain_schema(kinds) if schemaless else struct(kinds=kinds))
    made = {"config": config(of, schemaless) if callable(config) else config, **more}
    if schemaless:
        made["schemaless"] = True
    else:
        made[part + "Schema"] = of
        if part == "value" or chance(0.5):
            made.setdefault("keySchema" if part == "value" else "valueSchema", {"type": "string", "optional": True})
    rows = []
    for row in range(BATCH):
        record = {}
        if not chance(tombstones):
            record[part] = plain(of, nulls) if schemaless else value(of, nulls)
            if schemaless and record[part] is None:
                record[part] = plain(of, 0)
        if schemaless or ("keySchema" in made and "valueSchema" in made):
            record.setdefault("key" if part == "value" else "value", "k" if chance(0.7) else None)
        if chance(0.3):
            record["timestamp"] = millis() if chance(0.5) else 1_700_000_000_000 + row * 3_600_000
        rows.append(record)
    if chance(0.3):
        for record in rows:
            record["headers"] = headers()
    made["topic"] = R.choice(["orders", "db.public.t", "x", "a-b_c"])
    made["partition"] = R.randint(0, 5)
    made["records"] = rows
    return made


def fields_of(of):
    return [field["field"] for field in of["fields"]]


def some(of, most=3, absent=0.1):
    names = R.sample(fields_of(of), min(len(of["fields"]), R.randint(1, most)))
    return names + ["nope"] if chance(absent) else names


def names(of, most=3, absent=0.1):
    return ",".join(some(of, most, absent))


def replace(config):
    if chance(0.3):
        config["replace.null.with.default"] = R.choice(["true", "false"])
    return config


def both(name, config, **usual):
    def make():
        part = R.choice(["Key", "Value"])
        more = {key: given() if callable(given) else given for key, given in usual.items()}
        return {"class": f"{APACHE}{name}${part}", **case(config, part.lower(), **more)}
    return make


def cast(of, schemaless):
    kinds = ["int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string"]
    spec = [f"{name}:{R.choice(kinds)}" for name in some(of, 4)]
    if schemaless:
        # Differs: which of several fields that cannot be cast the message is about; Java takes them in the order of its hash table.
        first = spec[0].split(":")[0]
        spec[1:] = [f"{field['field']}:string" for field in of["fields"] if field["type"] in SCHEMALESS and field["field"] != first]
    return replace({"spec": ",".join(spec)})


def cast_whole():
    # Differs: Java leaves a date its name when it becomes another type, and no converter can write it.
    kind = R.choice(["int8", "int16", "int32", "int64", "float", "double", "boolean", "string", "bytes"])
    part = R.choice(["Key", "Value"])
    of = {**PRIMITIVES[kind](), "optional": True}
    spec = R.choice(["int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string"])
    made = case(replace({"spec": spec}), part.lower(), of=of, schemaless=False, nulls=0)
    return {"class": f"{APACHE}Cast${part}", **made}


def extract_field(of, schemaless):
    config = replace({"field": some(of, 1)[-1]})
    nested = [f["field"] + "." + R.choice(fields_of(f)) for f in of["fields"] if f["type"] == "struct"]
    if nested and chance(0.6):
        config["field"] = R.choice(nested)
    if chance(0.6):
        config["field.syntax.version"] = R.choice(["V1", "V2"])
    return config


def flatten(of, schemaless):
    return {"delimiter": R.choice([".", "_", "", "--"])} if chance(0.7) else {}


def flattened():
    """Without the lists that Java refuses, mostly, and with structs in structs."""
    def of(depth):
        made = struct(0, R.randint(1, 4))
        for field in made["fields"]:
            if depth and chance(0.4):
                name = field["field"]
                field.clear()
                field |= {**of(depth - 1), "field": name}
                if chance(0.5):
                    field["optional"] = True
        return made
    if chance(0.2):
        return both("Flatten", flatten)()
    if chance(0.3):
        return both("Flatten", flatten, of=lambda: plain_schema(depth=2), schemaless=True)()
    # Differs: a whole value that is optional.
    return both("Flatten", flatten, of=lambda: of(2), schemaless=False)()


def hoist():
    part = R.choice(["Key", "Value"])
    # Differs: a whole value whose schema requires it. A tombstone is a record of another schema, which no batch has.
    if chance(0.3):
        made = case({"field": R.choice(NAMES)}, part.lower(), schemaless=True, tombstones=0)
    else:
        made = case({"field": R.choice(NAMES)}, part.lower(), of={**schema(), "optional": True}, schemaless=False, nulls=0, tombstones=0)
    return {"class": f"{APACHE}HoistField${part}", **made}


def insert_field(of, schemaless):
    config = {}
    for what in ["topic", "partition", "offset", "timestamp", "static"]:
        if chance(0.5):
            # Differs: a timestamp that is required and missing; the records all have one.
            config[what + ".field"] = R.choice(["t1", "t2", "t3", "t4", "t5"]) + what[0] + R.choice(["", "?", "!"])
    if "static.field" in config:
        config["static.value"] = text() or "x"
    if not config:
        config["topic.field"] = "t"
    return replace(config)


def literal():
    # Differs: dates and numbers in one list.
    words = R.choice([["12", "-7", "1.5", "true", "null", "x", "\"q\"", "3000000000", "300"],
                      ["2024-02-29", "12:00:00.000Z", "2024-02-29T12:00:00.000Z", "x", "true"]])
    pick = lambda: R.choice(words)
    return R.choice([pick, pick, text,
                     lambda: "[" + ",".join(pick() for _ in range(R.randint(0, 3))) + "]",
                     lambda: "{" + ",".join(f"{R.choice('abc')}:{pick()}" for _ in range(R.randint(0, 3))) + "}",
                     lambda: "".join(R.choice([pick(), "[", "]", "{", ":", ",", "\\", " "]) for _ in range(R.randint(1, 4)))])()


def header_from(of, schemaless):
    picked = some(of)
    config = {"fields": ",".join(picked), "headers": ",".join(R.choice(["h", "i", "z"]) + str(n) for n in range(len(picked)))}
    return replace({**config, "operation": R.choice(["copy", "move"])})


def header_from_any():
    # Differs: a null within a schemaless map.
    if chance(0.35):
        return both("HeaderFrom", header_from, schemaless=True, nulls=0)()
    return both("HeaderFrom", header_from, schemaless=False)()


def mask(of, schemaless):
    # Differs: a decimal becomes a zero without a scale, or a number of another scale.
    good = [f["field"] for f in of["fields"] if "scale" not in f.get("parameters", {})]
    config = {"fields": ",".join(R.sample(good, min(len(good), R.randint(1, 3)))) or "nope"}
    # Differs: which of several schemaless fields that cannot be masked the message is about; Java takes them in the order of its hash set.
    if chance(0.4) and not (schemaless and "," in config["fields"]):
        config["replacement"] = R.choice(["7", "***", "1.5", "-1", "300", "x"])
    return replace(config)


def replace_field(of, schemaless):
    config = {}
    if chance(0.4):
        config["exclude"] = names(of)
    if chance(0.4):
        config["include"] = names(of, 4)
    if chance(0.5):
        config["renames"] = ",".join(f"{name}:r{n}" for n, name in enumerate(some(of, 2)))
    return replace(config)


def metadata(of, schemaless):
    config = {}
    if chance(0.7):
        config["schema.name"] = R.choice(["new", "n.new"])
    if chance(0.7):
        config["schema.version"] = str(R.randint(1, 9))
    return replace(config)


# Differs: text is not read by the letters of weeks.
FORMATS = ["yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss.SSS", "dd/MM/yy", "EEE, d MMM yyyy hh:mm a", "HH:mm:ss", "yyyyMMddHHmmss", "MMMM d, y G",
           "yyyy-MM-dd'T'HH:mm:ssXXX", "DDD yyyy kk:mm:ss", "yyyy-MM-dd HH:mm:ss Z"]


def timestamps():
    kind = R.choice(["date", "time", "timestamp", "int64", "string"])
    form = R.choice(FORMATS)
    target = R.choice(["string", "unix", "Date", "Time", "Timestamp"])
    config = {"target.type": target}
    if target == "string" or kind == "string":
        config["format"] = form
    if chance(0.5):
        config["unix.precision"] = R.choice(["seconds", "milliseconds", "microseconds", "nanoseconds"])
    part = R.choice(["Key", "Value"])
    replace(config)
    schemaless = kind in ("int64", "string") and chance(0.4)
    whole = chance(0.3)

    # Differs: a day that no date can hold is refused here, and something else in Java.
    most = 10**12 if config.get("unix.precision") == "seconds" else 10**15

    def point():
        if kind == "int64":
            return R.choice([0, 1, -1, 999, -999, 1_700_000_000, R.randint(-10**10, 10**10), R.randint(-most, most)])
        if kind == "string":
            moment = time.gmtime(R.randint(-10**9, 4 * 10**9))
            python = {"yyyy-MM-dd": "%Y-%m-%d", "yyyy-MM-dd HH:mm:ss.SSS": "%Y-%m-%d %H:%M:%S.123", "dd/MM/yy": "%d/%m/%y",
                      "EEE, d MMM yyyy hh:mm a": "%a, %d %b %Y %I:%M %p", "HH:mm:ss": "%H:%M:%S", "yyyyMMddHHmmss": "%Y%m%d%H%M%S",
                      "MMMM d, y G": "%B %d, %Y AD", "yyyy-MM-dd'T'HH:mm:ssXXX": "%Y-%m-%dT%H:%M:%S" + R.choice(["Z", "+02:00", "-05:30"]),
                      "DDD yyyy kk:mm:ss": "%j %Y %H:%M:%S", "yyyy-MM-dd HH:mm:ss Z": "%Y-%m-%d %H:%M:%S +0100"}[form]
            made = time.strftime(python, moment)
            if chance(0.1):
                at = R.randrange(len(made))
                made = made[:at] + R.choice(["", "x", "9", "-"]) + made[at + 1:]
            return made
        return value(PRIMITIVES[kind]())

    of = {**PRIMITIVES[kind]()}
    if not whole:
        config["field"] = "a"
        if chance(0.5):
            of["optional"] = True
        if kind != "string" and not schemaless and chance(0.2):
            of["default"] = R.randint(-most, most) if kind == "int64" else value(of, 0)
        of = {"type": "struct", "fields": [{**of, "field": "a"}, {"type": "string", "optional": True, "field": "b"}]}
    else:
        of["optional"] = True
    made = case(config, part.lower(), of=of, schemaless=schemaless)
    for record in made["records"]:
        if record.get(part.lower()) is None:
            continue
        if whole:
            record[part.lower()] = point()
        elif record[part.lower()].get("a") is not None:
            record[part.lower()]["a"] = point()
        elif schemaless and chance(0.5):
            record[part.lower()]["a"] = point()
    return {"class": f"{APACHE}TimestampConverter${part}", **made}


def timestamp_router():
    letters = ["yyyy", "MM", "dd", "HH", "mm", "ss", "SSS", "DDD", "EEE", "MMM", "G", "a", "w", "'x'", "-", "."]
    config = {}
    if chance(0.8):
        config["timestamp.format"] = "".join(R.sample(letters, R.randint(1, 4)))
    if chance(0.8):
        config["topic.format"] = R.choice(["${topic}-${timestamp}", "${timestamp}", "x_${topic}", "${topic}", "a${timestamp}b${topic}c"])
    made = case(config)
    for record in made["records"]:
        # Differs: the message about a missing timestamp.
        record["timestamp"] = millis()
    return {"class": APACHE + "TimestampRouter", **made}


def regex():
    return "".join(R.choice(["a", "o", "[a-z]", ".", ".*", "(.*)", "(o|d)", "\\.", "[^.]+", "(?:x)?", "r?", "(\\w+)", "db", "orders", "x", "$"])
                   for _ in range(R.randint(1, 4)))


def regex_router():
    return {"class": APACHE + "RegexRouter",
            **case({"regex": regex(), "replacement": "".join(R.choice(["$0", "$1", "x", "-", "\\$", "n"]) for _ in range(R.randint(1, 3)))})}


def filtered(predicate, config):
    """A transform that shows for which records the predicate is true."""
    def make():
        condition = {"class": f"{APACHE}predicates.{predicate}", "config": config(), "negate": chance(0.5)}
        if chance(0.5):
            return {"class": APACHE + "Filter", "predicate": condition, **case({}, tombstones=0.4)}
        return {"class": APACHE + "InsertHeader", "predicate": condition, **case({"header": "new", "value.literal": "1"}, tombstones=0.4)}
    return make


def any_predicate():
    name, config = R.choice([("RecordIsTombstone", lambda: {}), ("HasHeaderKey", lambda: {"name": R.choice("hijk")}),
                             ("TopicNameMatches", lambda: {"pattern": regex()})])
    return {**filtered(name, config)(), "class": APACHE + "Filter", "config": {}}


def event(of, row, schemaless):
    op = R.choice("crudtm") if chance(0.1) else R.choice("crud")
    image = lambda: plain(row, 0.1) or {} if schemaless else value({**row, "optional": False}, 0.3)
    made = {"before": image() if op in "ud" and chance(0.8) or op == "d" else None, "after": image() if op in "cru" else None,
            "source": {"connector": "postgresql", "ts_ms": R.randint(0, 10**13), "lsn": None if chance(0.3) else R.randint(0, 10**9),
                       "table": "t"},
            "transaction": {"id": "tx", "total_order": R.randint(0, 9)} if chance(0.4) else None,
            "op": op, "ts_ms": R.randint(0, 10**13)}
    return made


def extract_new_record_state():
    schemaless = chance(0.3)
    row = plain_schema() if schemaless else struct()
    optional = lambda name, of: {**of, "optional": True, "field": name}
    image = {**row, "name": "pg.public.t.Value"}
    of = {"type": "struct", "name": "pg.public.t.Envelope", "version": 1, "fields": [
        optional("before", image), optional("after", image),
        {"type": "struct", "field": "source", "name": "io.debezium.connector.postgresql.Source", "fields": [
            {"type": "string", "field": "connector"}, {"type": "int64", "field": "ts_ms"}, {"type": "int64", "field": "lsn", "optional": True},
            {"type": "string", "field": "table"}]},
        {"type": "struct", "field": "transaction", "optional": True, "name": "event.block", "version": 1, "fields": [
            {"type": "string", "field": "id"}, {"type": "int64", "field": "total_order"}]},
        {"type": "string", "field": "op"}, {"type": "int64", "field": "ts_ms", "optional": True}]}
    config = replace({})
    if chance(0.8):
        config["delete.tombstone.handling.mode"] = R.choice(["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"])
    references = ["op", "ts_ms", "table", "lsn", "source.ts_ms", "source.lsn", "transaction.id", "op:kind", "source.table:tbl"]
    if chance(0.5):
        config["add.fields"] = ",".join(R.sample(references, R.randint(1, 3)))
        if chance(0.3):
            config["add.fields.prefix"] = R.choice(["_x_", "p."])
    if chance(0.4):
        config["add.headers"] = ",".join(R.sample(references, R.randint(1, 3)))
    text_fields = [f["field"] for f in row["fields"] if f["type"] == "string" and (schemaless or not f.get("optional"))]
    if text_fields and chance(0.15) and not schemaless:
        config["route.by.field"] = R.choice(text_fields)
    made = {"class": DEBEZIUM + "ExtractNewRecordState", "config": config}
    made |= {"schemaless": True} if schemaless else {"valueSchema": of, "keySchema": {"type": "string"}}
    made["records"] = [{"key": "k", "value": None if chance(0.1) else event(of, row, schemaless)} for _ in range(BATCH)]
    if chance(0.3):
        for record in made["records"]:
            record["headers"] = headers()
    return made


CLASSES = {
    "Cast": lambda: cast_whole() if chance(0.3) else both("Cast", cast)(),
    "DropHeaders": lambda: {"class": APACHE + "DropHeaders", **case({"headers": ",".join(R.sample("hijkz", R.randint(1, 3)))})},
    "ExtractField": both("ExtractField", extract_field),
    "ExtractNewRecordState": extract_new_record_state,
    "Filter": any_predicate,
    "Flatten": flattened,
    "HasHeaderKey": filtered("HasHeaderKey", lambda: {"name": R.choice("hijk")}),
    "HeaderFrom": header_from_any,
    "HoistField": hoist,
    "InsertField": both("InsertField", insert_field),
    "InsertHeader": lambda: {"class": APACHE + "InsertHeader", **case({"header": R.choice("hijk"), "value.literal": literal() or "x"})},
    "MaskField": both("MaskField", mask),
    "RecordIsTombstone": filtered("RecordIsTombstone", lambda: {}),
    "RegexRouter": regex_router,
    "ReplaceField": both("ReplaceField", replace_field),
    "SetSchemaMetadata": both("SetSchemaMetadata", metadata),
    "TimestampConverter": timestamps,
    "TimestampRouter": timestamp_router,
    "TopicNameMatches": filtered("TopicNameMatches", lambda: {"pattern": regex()}),
    "ValueToKey": lambda: {"class": APACHE + "ValueToKey",
                           **case(lambda of, _: replace({"fields": names(of)}))},
}


def main():
    folder = Path(sys.argv[1])
    records = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
    print(f"transforms by chance: seed {seed}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in CLASSES.items():
        R.seed(f"{seed} {name}")
        cases = [{"name": f"{seed} {n}", **make()} for n in range(-(-records // BATCH))]
        written = json.dumps({"class": cases[0]["class"], "cases": cases}).replace('"@number ', "").replace('@"', "")
        (folder / f"{name}.json").write_text(written)


main()
