"""From results to Markdown, in English and Chinese, and into the pages between their markers."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from .workloads import WORKLOADS, Workload

ROOT = Path(__file__).resolve().parent.parent
Row = dict[str, Any]  # what `rounds.measure` says about a workload, with "flops"
OURS, THEIRS = ("penlight eager", "penlight compiled"), ("PyTorch eager", "PyTorch compiled")
PAIRS = ((OURS[0], THEIRS[0]), (OURS[1], THEIRS[0]), (OURS[1], THEIRS[1]))

WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "penlight eager": "penlight", "penlight compiled": "compiled",
        "PyTorch eager": "PyTorch", "PyTorch compiled": "compiled", "JAX compiled": "JAX",
        "ratios": ("eager vs eager", "compiled vs eager", "compiled vs compiled"),
        "share": "of peak", "mean": "geometric mean", "empty": "Empty cells",
        "legend": "vs: how many times as fast as PyTorch. Of peak: the arithmetic of products and"
        " convolutions, beside the multiply-add peak that the same run measured.",
        "first": "first step", "full": "full speed", "memory": "memory", "warm": "warm cache",
    },
    "zh": {
        "penlight eager": "penlight", "penlight compiled": "编译",
        "PyTorch eager": "PyTorch", "PyTorch compiled": "编译", "JAX compiled": "JAX",
        "ratios": ("即时对即时", "编译对即时", "编译对编译"),
        "share": "占峰值", "mean": "几何平均", "empty": "空格",
        "legend": "“对”：速度是 PyTorch 的几倍。占峰值：乘积与卷积的运算量，对照同一次运行测得的"
        "乘加峰值。",
        "first": "第一步", "full": "全速", "memory": "内存", "warm": "缓存已有",
    },
}  # fmt: skip


# ------------------------------------------------------------ numbers


def value(row: Row, column: str, key: str = "seconds", start: str = "") -> float | None:
    """A figure of a column; None where there is none."""
    figures = row["columns"].get(column, {})
    found = (figures.get(start, {}) if start else figures).get(key)
    return found if found is not None and isfinite(found) else None


def ratio(row: Row, ours: str, theirs: str, key: str = "seconds") -> float | None:
    """How many times as fast (or as small) ours is."""
    a, b = value(row, ours, key), value(row, theirs, key)
    return b / a if a and b else None


def share(row: Row, column: str) -> float | None:
    """The part of the arithmetic peak that was measured beside it."""
    seconds = value(row, column)
    return (
        row["flops"] / seconds / row["peak"] if seconds and row["flops"] and row["peak"] else None
    )


def geometric_mean(numbers: Iterable[float | None]) -> float | None:
    """Of those that are there."""
    there = [x for x in numbers if x]
    return statistics.geometric_mean(there) if there else None


# ------------------------------------------------------------ cells


def duration(seconds: float | None) -> str:
    """554 µs, 2.03 ms, 1.2 s."""
    if seconds is None:
        return "–"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * size or unit == "µs":
            number = seconds / size
            digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
            return f"{number:.{digits}f} {unit}"
    raise ValueError(seconds)


def times(number: float | None) -> str:
    """1.25."""
    return "–" if number is None else f"{number:.2f}"


def percent(number: float | None) -> str:
    """85 %."""
    return "–" if number is None else f"{number:.0%}".replace("%", " %")


def megabytes(size: float | None) -> str:
    """312 MB."""
    return "–" if size is None else f"{size / 1e6:,.0f} MB"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


# ------------------------------------------------------------ tables


def speed_head(language: str, jax: bool = False) -> list[str]:
    """The titles over the cells of `speed_cells`."""
    words = WORDS[language]
    names = [*OURS, *THEIRS, *(["JAX compiled"] if jax else [])]
    return ["", *(words[n] for n in names), *words["ratios"], words["share"]]


def speed_cells(name: str, row: Row, jax: bool = False) -> list[str]:
    """A step's time in each column, the three ratios, the best share of the peak of ours."""
    best = max((s for s in (share(row, column) for column in OURS) if s), default=None)
    return [
        name,
        *(duration(value(row, column)) for column in (*OURS, *THEIRS)),
        *([duration(value(row, "JAX compiled"))] if jax else []),
        *(times(ratio(row, *pair)) for pair in PAIRS),
        percent(best),
    ]


def speed_table(results: dict[str, Row], language: str) -> str:
    """Every workload but the products; at the end the geometric means of the ratios."""
    rows = {name: row for name, row in results.items() if not WORKLOADS[name].is_product}
    jax = any(value(row, "JAX compiled") for row in rows.values())
    lines = [speed_cells(title(name, language), row, jax) for name, row in rows.items()]
    means = [times(geometric_mean(ratio(row, *pair) for row in rows.values())) for pair in PAIRS]
    last = [WORDS[language]["mean"], *[""] * (len(lines[0]) - 5 if lines else 4), *means, ""]
    table = markdown(speed_head(language, jax), [*lines, last])
    words, reasons = WORDS[language], empty_cells(rows)
    notes = [words["legend"], *([f"{words['empty']}: {'; '.join(reasons)}."] if reasons else [])]
    return "\n\n".join([table, *notes])


def empty_cells(rows: dict[str, Row]) -> list[str]:
    """Why there is no figure: each column's reasons once."""
    found = {
        f"{column}: {figures['error']}": None
        for row in rows.values()
        for column, figures in row["columns"].items()
        if "error" in figures
    }
    return list(found)


def product_table(results: dict[str, Row], language: str) -> str:
    """Each product: GFLOP/s and share of the peak, penlight beside PyTorch."""
    words = WORDS[language]
    lines = []
    for name, row in results.items():
        if WORKLOADS[name].is_product:
            cells = [title(name, language)]
            for column in (OURS[0], THEIRS[0]):
                seconds = value(row, column)
                speed = f"{row['flops'] / seconds / 1e9:.0f} GFLOP/s" if seconds else "–"
                cells.append(f"{speed} ({percent(share(row, column))})")
            lines.append([*cells, times(ratio(row, OURS[0], THEIRS[0]))])
    head = ["", words["penlight eager"], words["PyTorch eager"], words["ratios"][0]]
    return markdown(head, lines)


def start_table(results: dict[str, Row], language: str = "en") -> str:
    """Compiled columns: the first step and full speed, with an empty cache and a warm one."""
    words = WORDS[language]
    head = [""]
    for library in ("penlight", "PyTorch"):
        head += [f"{library} {words['first']}", words["full"], words["warm"], words["full"]]
    lines = []
    for name, row in results.items():
        if "compiled" in WORKLOADS[name].modes:
            cells = [title(name, language)]
            for column in (OURS[1], THEIRS[1]):
                for start in ("", "warm"):
                    cells += [
                        duration(value(row, column, key, start)) for key in ("first", "full_speed")
                    ]
            lines.append(cells)
    return markdown(head, lines)


def memory_table(results: dict[str, Row], language: str = "en") -> str:
    """The most resident memory of each column's process."""
    columns = (*OURS, *THEIRS)
    lines = [
        [title(name, language), *(megabytes(value(row, c, "memory")) for c in columns)]
        for name, row in results.items()
    ]
    return markdown(["", *columns], lines)


def title(name: str, language: str) -> str:
    """A workload's name in a language."""
    workload: Workload = WORKLOADS[name]
    return workload.chinese if language == "zh" else name


# ------------------------------------------------------------ pages


def fill(page: str, marker: str, table: str) -> str:
    """The page's text with the table between `<!-- marker -->` and `<!-- /marker -->`."""
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    found = re.search(f"^( *){re.escape(begin)}.*?{re.escape(end)}", page, re.DOTALL | re.MULTILINE)
    if found is None:
        raise SystemExit(f"the page has no place for a table: {begin} ... {end}")
    lines = [begin, *table.splitlines(), end]
    filled = "\n".join((found[1] + line).rstrip() for line in lines)
    return page[: found.start()] + filled + page[found.end() :]


def fill_pages(results: dict[str, Row]) -> None:
    """The tables of README.md, README.zh.md and docs/performance.md."""
    tables = {
        "speed": speed_table, "products": product_table,
        "starts": start_table, "memory": memory_table,
    }  # fmt: skip
    for path, language, markers in (
        ("README.md", "en", ("speed", "products")),
        ("README.zh.md", "zh", ("speed", "products")),
        ("docs/performance.md", "en", tuple(tables)),
    ):
        page = (ROOT / path).read_text(encoding="utf-8")
        for marker in markers:
            page = fill(page, marker, tables[marker](results, language))
        (ROOT / path).write_text(page, encoding="utf-8")
