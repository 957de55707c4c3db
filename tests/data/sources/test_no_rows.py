"""A night without orders: tables without rows, and readings that are given up, end in peace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from palio import data
source = data.open_source(sys.argv[1])
reading = source.batches()
print(len(source.columns), sum(batch.num_rows for batch in source.batches()), next(reading, None) is not None)
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,y\n", "3 0 False"),
        ("a,b,y", "3 0 False"),
        ("a,b,y\n1\n2\n", "3 0 False"),
        ("a,y\n" + "1,2\n" * 9, "2 9 True"),
    ],
)
def test_the_interpreter_ends_in_peace(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "t.csv")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, said, "")
