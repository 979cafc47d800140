"""The house: imports run downwards, the import is light, and torch stays outside."""

import ast
import pathlib
import subprocess
import sys

import pytest

import penlight

ROOT = pathlib.Path(penlight.__file__).parent
FLOOR = {
    name: height
    for height, names in enumerate(
        (
            ("core",),
            ("compiler",),
            ("ops",),
            ("autograd",),
            ("capture",),
            (
                "",
                "signal",
            ),  # the modules at the top: torch's names, collected from the floors below
            ("nn", "distributions"),
            ("optim", "utils"),
            ("vision",),
            ("io",),
            ("compat", "cli"),
        )
    )
    for name in names
}


def imported_folders(path: pathlib.Path) -> set[str]:
    """The penlight folders that a file imports, at its top or inside functions."""
    package = ("penlight", *path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            full = (*base, *(node.module or "").split("."))
            full = tuple(p for p in full if p)
            targets = [full] if len(full) > 1 else [(*full, a.name) for a in node.names]
        elif isinstance(node, ast.Import):
            targets = [tuple(a.name.split(".")) for a in node.names]
        else:
            continue
        for target in targets:
            if target[0] == "penlight":
                name = target[1] if len(target) > 1 else ""
                found.add(name if name in FLOOR else "")
    return found


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(ROOT)) for p in FILES])
def test_imports_run_downwards(path):
    parts = path.relative_to(ROOT).parts
    own = parts[0] if len(parts) > 1 else ""
    above = {name for name in imported_folders(path) if FLOOR[name] > FLOOR[own]}
    assert not above, f"{path.name} on the floor of {own!r} imports from above: {sorted(above)}"


def test_every_folder_has_a_floor():
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and any(p.rglob("*.py"))}
    assert folders <= set(FLOOR), folders - set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(ROOT)) for p in FILES])
def test_no_file_imports_torch_or_scipy(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
        assert not {n.split(".")[0] for n in names} & {"torch", "scipy", "torchvision"}


HEAVY = ("torch", "llvmlite", "PIL", "click", "tqdm", "multiprocessing", "safetensors", "inspect")


def test_import_is_light():
    """`import penlight` loads none of the things that only some programs need."""
    code = f"""
import sys, numpy, ml_dtypes
before = set(sys.modules)
import penlight
new = set(sys.modules) - before
print(sorted(m for m in {HEAVY!r} if m in new))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
