"""The README's programs run as printed, in both languages."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_example_learns(name, capsys):
    text = (ROOT / name).read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(program, {"__name__": "__main__"})
    losses = [float(line.split()[-1].split("：")[-1].removeprefix("损失"))
              for line in capsys.readouterr().out.splitlines()]  # fmt: skip
    assert len(losses) == 5
    assert losses[-1] < 0.5


def test_both_languages_show_the_same_commands():
    commands = [
        re.findall(r"```\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)[:2]
        for name in ("README.md", "README.zh.md")
    ]
    assert commands[0] == commands[1]
    assert commands[0][0].strip() == "pip install . && penlight train"
