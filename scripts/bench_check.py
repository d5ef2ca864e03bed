#!/usr/bin/env python3
"""Counts the instructions of the steps of a record's path (`landfall-convert-bench kernels`) now and at a base commit, by callgrind.

    bench_check.py [KERNEL…]

BASE is the commit to compare with: by default where this branch left origin/main (or main), or, there, the commit before the last. Fails
where a kernel takes over 5 % more. The base is measured by the programs of now, so that both do the same to the same rows; where these do not
build with it, by its own.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WORK = TARGET / "bench-check"
BENCH = Path("benches/convert")
MOST = 1.05
ROUNDS = 20


def collected(log):
    """The instructions that callgrind says it has counted.

    >>> collected("==7== Events    : Ir\\n==7== Collected : 1234\\n==7==\\n")
    1234
    """
    return int(re.search(r"Collected : (\d+)", log)[1])


def verdict(base, now):
    """How much more is counted now than at the base, and whether that is too much; nothing of a kernel that one of them lacks.

    >>> verdict(1000, 1049)
    ('1.049', False)
    >>> verdict(1000, 1051)
    ('1.051', True)
    >>> verdict(1000, 600)
    ('0.600', False)
    >>> verdict(None, 600)
    ('not compared', False)
    """
    if not base or not now:
        return "not compared", False
    return f"{now / base:.3f}", now / base > MOST


def git(*args, check=True):
    """What git says; nothing where it fails and that is no matter."""
    errors = None if check else subprocess.DEVNULL
    return subprocess.run(["git", "-C", ROOT, *args], check=check, text=True, stdout=subprocess.PIPE, stderr=errors).stdout.strip()


def base_commit():
    """BASE; else where this branch left main; else, or if nothing was committed since, the commit before the last."""
    if os.environ.get("BASE"):
        return git("rev-parse", os.environ["BASE"] + "^{commit}")
    left = git("merge-base", "HEAD", "origin/main", check=False) or git("merge-base", "HEAD", "main", check=False)
    return left if left not in ("", git("rev-parse", "HEAD")) else git("rev-parse", "HEAD~1")


def built(tree, name, check=True):
    """The program that is built in `tree`, as `name`; None if it does not build."""
    build = ["cargo", "build", "--profile", "bench", "--manifest-path", tree / BENCH / "Cargo.toml"]
    if subprocess.run(build, check=check, env={**os.environ, "CARGO_TARGET_DIR": str(TARGET)}).returncode:
        return None
    return shutil.copy(TARGET / "release" / "landfall-convert-bench", WORK / name)


def base_program(base):
    """The base's program, with the kernels of now if that builds."""
    tree = WORK / "base"
    git("worktree", "remove", "--force", str(tree), check=False)
    git("worktree", "prune")
    git("worktree", "add", "--quiet", "--force", "--detach", str(tree), base)
    try:
        own = tree / BENCH.with_name("own")
        (tree / BENCH).rename(own)
        shutil.copytree(ROOT / BENCH, tree / BENCH)
        program = built(tree, "program-base", check=False)
        if not program:
            print("the programs of now do not build with the base: its own are compared", file=sys.stderr)
            shutil.rmtree(tree / BENCH)
            own.rename(tree / BENCH)
            program = built(tree, "program-base", check=False)
        return program
    finally:
        git("worktree", "remove", "--force", str(tree))


def instructions(program, kernel):
    """The instructions of a record; None if the program has no such kernel."""
    count = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*kernel_rounds*"]
    run = subprocess.run([*count, program, "kernel", kernel, str(ROUNDS)], text=True, capture_output=True)
    if run.returncode:
        print(f"{program}: {kernel}: {run.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return collected(run.stderr) / int(run.stdout)


def main():
    base = base_commit()
    WORK.mkdir(parents=True, exist_ok=True)
    now = built(ROOT, "program-now")
    before = base_program(base)
    known = subprocess.run([now, "kernels"], check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
    print(f"instructions for each record, now and at {base[:12]}\n\n| kernel | base | now | × base |\n|---|---|---|---|")
    failed = []
    for kernel in sys.argv[1:] or known:
        counts = [program and instructions(program, kernel) for program in (before, now)]
        ratio, too_much = verdict(*counts)
        if too_much or counts[1] is None:
            failed.append(kernel)
        shown = ["—" if count is None else f"{count:,.0f}" for count in counts]
        print(f"| {kernel} | {shown[0]} | {shown[1]} | {ratio} |", flush=True)
    if failed:
        sys.exit(f"\nover {MOST - 1:.0%} more instructions, or none counted: {', '.join(failed)}")


if __name__ == "__main__":
    main()
