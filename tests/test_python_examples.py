"""The examples of docs/python.md, executed from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import ROOT

SHORTER = {
    "200_000": "2_000",
    "20_000": "1_000",
    "StopAtGoal(100)": "StopAtGoal(1)",
    '"run.eval_episodes": 20}': '"run.eval_episodes": 2, "run.export": False}',
}
"""what a test runs in place of an example's number."""


def examples() -> str:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    for number, shorter in SHORTER.items():
        assert number in code
        code = code.replace(number, shorter)
    return code


@pytest.mark.training
@pytest.mark.slow
def test_the_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert examples().count("a2c_tf.") == 6
    monkeypatch.chdir(tmp_path)
    exec(compile(examples(), "docs/python.md", "exec"), {})
    first, mistake, stopped, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("runs/first 2")
    assert int(stopped.split()[0]) < 10_000  # of 500,000: after the first call that trains
    assert mistake == "a2c.gama: unknown setting; did you mean a2c.gamma?"
    assert rest[0].split()[0] in "01" and len(rest) == 2
