"""Blocks end where rows end, whatever the quotes."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from palio.data.sources.blocks import last_row_end, whole_rows

TEXTS = st.text(st.sampled_from('a,"\n\r '), max_size=80)


def rows(text: bytes) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text.decode(), newline="")) if row]


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.integers(1, 40), st.integers(1, 9))
def test_rows_of_the_blocks_are_the_rows_of_the_whole(text: str, n_bytes: int, step: int) -> None:
    content = text.encode()
    stream = (content[i : i + step] for i in range(0, len(content), step))
    blocks = list(whole_rows(stream, quote='"', separator=",", name="t", n_bytes=n_bytes))
    assert b"".join(blocks) == content
    assert [row for block in blocks for row in rows(block)] == rows(content)


@given(st.lists(st.lists(st.text(st.sampled_from('a,"\n'), max_size=5), min_size=2, max_size=3), max_size=6))
def test_a_quoted_table_ends_with_its_last_row(table: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)
    content = text.getvalue().encode()
    assert last_row_end(content, b'"', b",") == len(content)
    assert last_row_end(content + b'"open', b'"', b",") == len(content)
