"""Compares the examples of an OpenAPI document with their schemas. Prints each that is not what its schema says."""

import sys

import jsonschema_rs
import yaml


def look(document, value, place):
    """Looks at what stands beside a schema, and further down."""
    if isinstance(value, dict):
        examples = [example["value"] for example in value.get("examples", {}).values()] if "schema" in value else []
        if "schema" in value and "example" in value:
            examples.append(value["example"])
        for example in examples:
            schema = {**value["schema"], "components": document["components"]}
            for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(example):
                yield f"{place}: {error.message}"
        if "schema" in value and not examples:
            yield f"{place}: no example"
        for key, inner in value.items():
            yield from look(document, inner, f"{place}/{key}")
    elif isinstance(value, list):
        for inner in value:
            name = inner.get("name", "") if isinstance(inner, dict) else ""
            yield from look(document, inner, f"{place}/{name}")


def main():
    document = yaml.safe_load(open(sys.argv[1]))
    wrong = list(look(document, {"paths": document["paths"], "responses": document["components"]["responses"]}, ""))
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


main()
