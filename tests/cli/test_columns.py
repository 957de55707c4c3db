"""The table of `init` fits a terminal, tells what is doubtful once, and lets no cell steer the terminal."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from palio.cli.app import palio

ESCAPE, BELL = "\x1b", "\x07"


def begin(file: Path, *options: str, target: str = "y", env: dict[str, str] | None = None) -> str:
    folder = file.parent / "project"
    arguments = ["init", str(file), "--target", target, "--dir", str(folder), *options]
    result = CliRunner().invoke(palio, arguments, env={"COLUMNS": "100", **(env or {})})
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def write(path: Path, names: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        writer.writerows(rows)
    return path


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    rows: list[list[object]] = [
        [f"{n % 12 + 1:02d}/{n % 9 + 1:02d}/2023", f"{n % 90}.5 kg" if n != 40 else "tbd", "" if n % 4 else "a", n % 2]
        for n in range(80)
    ]
    return write(tmp_path / "messy.csv", ["when", "weight", "gaps", "y"], rows)


def test_a_person_sees_what_was_found_and_what_is_doubtful(messy: Path) -> None:
    shown = begin(messy)
    lines = shown.splitlines()
    assert lines[0].startswith("messy.csv: 80 rows, 4 columns; `,` between cells, the first line names the columns")
    weight = next(line for line in lines if line.startswith("! weight"))
    assert "kg" in weight
    assert "0.5 kg → 0.5" in weight
    assert "0.5 to 79.5" in weight
    assert next(line for line in lines if line.startswith("! weight: ")).endswith("`tbd` (data row 41)")
    assert "75 %" in next(line for line in lines if line.startswith("  gaps"))
    assert any(line.startswith("! when: `") for line in lines)
    assert "--date-order" in shown
    assert "classification of `y`, 2 classes (0, 1)" in shown
    assert lines[-1].startswith("next: palio run --dir ")


def test_no_sentence_is_told_twice(messy: Path) -> None:
    lines = [line for line in begin(messy).splitlines() if len(line) > 30]
    assert len(set(lines)) == len(lines)
    assert begin(messy).count("taken as missing") == 1


@pytest.mark.parametrize("columns", ["60", "80", "100", "250"])
def test_no_line_is_wider_than_the_terminal_or_a_hundred(messy: Path, columns: str) -> None:
    shown = begin(messy, env={"COLUMNS": columns})
    assert max(cell_len(line) for line in shown.splitlines() if line[:7] not in ("written", "next: p")) <= min(
        int(columns), 100
    )


def test_names_and_cells_cannot_steer_the_terminal(tmp_path: Path) -> None:
    names = ["x", f"{ESCAPE}[31mred", "n" * 300, "价格" * 30, "🙂", "[bold]b[/bold]", "y"]
    rows: list[list[object]] = [
        [n / 7, f"{ESCAPE}[2J{n % 3}", f"{n % 2}" * 400, f"¥{n}.50", "🙂" * (n % 4 + 1), "[red]" * (n % 2 + 1),
         f"{ESCAPE}]0;t{BELL}{n % 2}"]
        for n in range(40)
    ]  # fmt: skip
    shown = begin(write(tmp_path / "rows.csv", names, rows))
    assert ESCAPE not in shown
    assert BELL not in shown
    assert "[bold]b" in shown, "markup is text like any other"
    assert max(cell_len(line) for line in shown.splitlines() if line[:7] not in ("written", "next: p")) <= 100


def test_of_many_columns_the_target_and_the_doubtful_come_first(tmp_path: Path) -> None:
    names = [*(f"c{i}" for i in range(90)), "y"]
    rows: list[list[object]] = [
        [*("n/k" if i in (77, 88) and n == 3 else (n * i) % 17 for i in range(90)), "ab"[n % 2]] for n in range(60)
    ]
    lines = begin(write(tmp_path / "rows.csv", names, rows)).splitlines()
    assert [line.split()[0] for line in lines[3:4]] == ["y"]
    assert [line.split()[1] for line in lines[4:6]] == ["c77", "c88"]
    assert "  … and 51 more: palio init --html" in lines
    assert sum("c77, c88: 1 cell is no number" in line for line in lines) == 1, "told once for all that share it"


def test_a_terminal_without_unicode_gets_no_arrows(messy: Path) -> None:
    result = CliRunner(charset="latin-1").invoke(
        palio, ["init", str(messy), "--target", "y", "--dir", str(messy.parent / "p")]
    )
    assert result.exit_code == 0
    assert "0.5 kg > 0.5" in result.stdout


def test_json_holds_the_readings(messy: Path) -> None:
    told = json.loads(begin(messy, "--json"))
    by_name = {row["name"]: row for row in told["readings"]}
    assert by_name["weight"]["n_unread"] == 1
    assert by_name["weight"]["examples"][0] == ["0.5 kg", "0.5"]
    assert by_name["y"]["role"] == "target"
    assert told["reason"]
    assert told["form"]["separator"] == ","
    assert told["html"] is None


def test_the_page_lands_in_the_project_or_where_it_is_told(messy: Path) -> None:
    shown = begin(messy, "--html")
    assert (messy.parent / "project" / "columns.html").is_file()
    assert "columns.html" in shown
    begin(messy, "--html", str(messy.parent / "elsewhere.html"))
    assert (messy.parent / "elsewhere.html").is_file()


def test_the_options_reach_the_reader(messy: Path) -> None:
    text = messy.read_text("utf-8").replace(",", ";")
    messy.write_text(text, "utf-16")
    shown = begin(
        messy, "--encoding", "utf-16", "--separator", ";", "--header", "yes", "--missing", "a", "--missing", "tbd",
        "--date-order", "mdy", "--thousands", ",",
    )  # fmt: skip
    assert "month first" in shown
    assert "100 %" in shown
    assert "! weight" not in shown


def test_looking_again_needs_no_words(messy: Path) -> None:
    begin(messy)
    result = CliRunner().invoke(palio, ["init", "--dir", str(messy.parent / "project")])
    assert result.exit_code == 0, result.output
    assert "classification of `y`" in result.stdout
