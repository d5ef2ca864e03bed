#!/usr/bin/env python3
"""Prints what the binary is made of as a CycloneDX 1.6 bill of materials, from `cargo metadata` on its standard input."""

import json
import re
import sys
from pathlib import Path

BINARY = "landfall"


def main():
    metadata = json.load(sys.stdin)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = next(id for id in metadata["workspace_members"] if packages[id]["name"] == BINARY)
    sums = checksums(Path(metadata["workspace_root"]) / "Cargo.lock")
    shipped, waiting = {}, [root]
    while waiting:
        id = waiting.pop()
        if id not in shipped:
            # What builds it is named too: it decides what is in the binary.
            needed = [d["pkg"] for d in nodes[id]["deps"] if any(k["kind"] != "dev" for k in d["dep_kinds"])]
            shipped[id] = sorted(needed, key=lambda id: reference(packages[id]))
            waiting += needed
    order = sorted(shipped, key=lambda id: reference(packages[id]))
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component(packages[root], "application", sums)},
        "components": [component(packages[id], "library", sums) for id in order if id != root],
        "dependencies": [
            {"ref": reference(packages[id]), "dependsOn": [reference(packages[needed]) for needed in shipped[id]]} for id in order
        ],
    }
    json.dump(bill, sys.stdout, indent=1)
    print()


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, kind, sums):
    found = {"type": kind, "bom-ref": reference(package), "name": package["name"], "version": package["version"]}
    if package["license"]:
        found["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
    if package["source"]:
        found["purl"] = reference(package)
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def checksums(lock):
    form = r'name = "([^"]*)"\nversion = "([^"]*)"\n(?:source = "[^"]*"\n)?(?:checksum = "([0-9a-f]*)")?'
    return {(name, version): checksum for name, version, checksum in re.findall(form, lock.read_text())}


main()
