"""However a table is written, its cells come back."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import tempfile
from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palio import data
from palio.testing.source import cells

SIGNS = st.characters(codec="utf-8", exclude_characters="\0\r\x1f", exclude_categories=("Cs",))
CELLS = st.text(st.one_of(st.sampled_from("ab ,;\t|\"\n#'="), SIGNS), max_size=12)
PACKED = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, "zstd", asbytes=True),
}


@st.composite
def forms(draw: st.DrawFn) -> dict[str, object]:
    return {
        "separator": draw(st.sampled_from(",;\t|")),
        "all_quoted": draw(st.booleans()),
        "end": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])),
        "packed": draw(st.sampled_from(list(PACKED))),
        "above": draw(st.lists(st.sampled_from(["Report of May", "", "# by hand", "# a; b, c", "#"]), max_size=4)),
        "trailing": draw(st.sampled_from(["", "rows", "all"])),
        "repeated": draw(st.booleans()),
        "last_end": draw(st.booleans()),
        "inside": draw(st.sampled_from(["", "\n", "# a remark"])),
    }


def written(rows: list[tuple[str, str, str]], form: dict[str, object]) -> bytes:
    end, separator = str(form["end"]), str(form["separator"])
    lines = [line + end for line in form["above"]]  # type: ignore[attr-defined]
    for i, row in enumerate([("n", "text", "y"), *rows]):
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="")
        if not form["all_quoted"] and not any(sign in cell for cell in row for sign in ',;\t|"\n\r'):
            writer = csv.writer(text, delimiter=separator, lineterminator="")
        writer.writerow(row)
        if form["trailing"] == "all" or (i and form["trailing"] == "rows"):
            text.write(separator)
        lines.append(text.getvalue() + end)
        if i == 2 and form["inside"] and any(line.startswith("#") for line in form["above"]):  # type: ignore[attr-defined]
            lines.append(str(form["inside"]) + end)
    if form["repeated"]:
        lines.insert(len(lines) // 2 + 1, lines[len(form["above"])])  # type: ignore[arg-type]
    whole = "".join(lines)
    return (whole if form["last_end"] else whole.removesuffix(end)).encode(str(form["encoding"]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CELLS, min_size=4, max_size=12), forms())
def test_cells_come_back_however_they_are_written(texts: list[str], form: dict[str, object]) -> None:
    if form["encoding"] == "cp1252":
        # other signs could be UTF-8 as well; a letter before a sign of ASCII cannot
        texts = [text.encode("ascii", "ignore").decode() + "é." for text in texts]
    rows = [(f"{i}.5", text, "yes" if i % 2 else "no") for i, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t.csv{form['packed']}"
        path.write_bytes(PACKED[str(form["packed"])](written(rows, form)))
        source = data.open_source(path, data.SourceOptions(target="y"))
        assert source.columns == ("n", "text", "y"), source.notes
        assert cells(source) == rows
        assert source.skipped.n_rows == 0
