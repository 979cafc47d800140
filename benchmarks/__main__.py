"""`python -m benchmarks [PATTERN]`: penlight beside PyTorch (and JAX), in one run.

Each library in each mode runs each workload in a process of its own, with its default number of
threads. A round asks every process once, in turn, so that the machine's noise meets all of them;
a figure is the median over the rounds. Libraries that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from .flops import flops_of
from .machine import details
from .rounds import LIBRARIES, Column, columns, measure
from .tables import (
    duration,
    fill_pages,
    markdown,
    product_table,
    speed_cells,
    speed_head,
    speed_table,
)
from .workloads import WORKLOADS, Workload

NOISY = 1.5  # the slowest round so many times the fastest: something else was running


def flops(workload: Workload, wanted: list[Column]) -> float:
    """Counted on the first library that has layers; the same number on each."""
    library = next((c.library for c in wanted if c.library != "jax"), "penlight")
    T = importlib.import_module(library)
    for submodule in ("nn", "optim", "utils.data"):
        importlib.import_module(f"{library}.{submodule}")
    return flops_of(workload.make(T), T)


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("pattern", nargs="?", default="", help="only workloads whose name matches")
    add("--rounds", type=int, default=7)
    add("--modes", default="eager,compiled")
    add("--libraries", default=",".join(LIBRARIES))
    add("--threads", type=int, default=0, help="instead of each library's default")
    add("--quick", action="store_true", help="use the usual caches; no second, warm start")
    add("--list", action="store_true", help="name the workloads and end")
    add("--json", metavar="FILE", help="write every figure there")
    add("--from", metavar="FILE", dest="earlier", help="figures of an earlier run: no measuring")
    add("--readme", action="store_true", help="fill the tables of the pages")
    return parser.parse_args()


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Measures and prints row by row; keeps what is there in the JSON file after each."""
    wanted = columns(asked.libraries.split(","), asked.modes.split(","))
    results: dict[str, Any] = {}
    report = {"machine": details(), "rounds": asked.rounds, "threads": asked.threads or "default",
              "workloads": results}  # fmt: skip
    jax = any(column.library == "jax" for column in wanted)
    print(markdown(speed_head("en", jax), []))
    for name, workload in WORKLOADS.items():
        if not re.search(asked.pattern, name):
            continue
        row = measure(workload, wanted, asked.rounds, asked.threads, starts=not asked.quick)
        results[name] = {"flops": flops(workload, wanted), **row}
        print("| " + " | ".join(speed_cells(name, results[name], jax)) + " |", flush=True)
        for remark in remarks(row):
            print(f"  {name}, {remark}", file=sys.stderr)
        if asked.json:
            with open(asked.json, "w", encoding="utf-8") as file:
                json.dump(report, file, indent=1, ensure_ascii=False)
    return results


def remarks(row: dict[str, Any]) -> Iterator[str]:
    """What the figures do not say: why there is none, and where the machine was busy."""
    for column, figures in row["columns"].items():
        if "error" in figures:
            yield f"{column}: {figures['error']}"
            continue
        low, high = min(figures["rounds"]), max(figures["rounds"])
        if high > NOISY * low:
            yield f"{column}: rounds from {duration(low)} to {duration(high)}"


def main() -> None:
    """Measures, or takes an earlier run's figures; fills the pages where asked."""
    asked = options()
    if asked.list:
        print("\n".join(WORKLOADS))
        return
    if asked.earlier:
        with open(asked.earlier, encoding="utf-8") as file:
            results = json.load(file)["workloads"]
        print(speed_table(results, "en"), product_table(results, "en"), sep="\n\n")
    else:
        results = run(asked)
    if asked.readme:
        fill_pages(results)


if __name__ == "__main__":
    main()
