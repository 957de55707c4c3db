"""Letters survive, and where they cannot, the line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from palio import data
from palio.core.errors import InputError
from palio.testing.source import cells


def opened(folder: Path, content: bytes, **options: str) -> data.Source:
    (folder / "t.csv").write_bytes(content)
    return data.open_source(folder / "t.csv", data.SourceOptions(**options))  # type: ignore[arg-type]


LINES = [f"Nîmes,{i},{'oui' if i % 2 else 'non'}\n" for i in range(50)]


@pytest.mark.parametrize("encoding", ["auto", "utf-8"])
def test_one_stray_byte_spoils_one_letter_and_its_line_is_named(encoding: str, tmp_path: Path) -> None:
    content = b"ville,a,y\n" + "".join(LINES).encode() + "Orléans,5,oui\n".encode("latin-1") + LINES[0].encode()
    source = opened(tmp_path, content, encoding=encoding)
    rows = cells(source)
    assert {row[0] for row in rows} == {"Nîmes", "Orl\ufffdans"}
    assert "line 52 is not UTF-8" in " ".join(source.notes)


def test_a_file_of_other_letters_is_no_utf8(tmp_path: Path) -> None:
    source = opened(tmp_path, ("ville,a,y\n" + "".join(LINES)).encode("cp1252"))
    assert {row[0] for row in cells(source)} == {"Nîmes"}
    source = opened(tmp_path, ("город,a,y\n" + "Москва,1,да\n" * 9).encode("cp1251"))
    assert "another alphabet: set [data] encoding" in " ".join(source.notes)
    assert (
        opened(tmp_path, ("город,a,y\n" + "Москва,1,да\n" * 9).encode("cp1251"), encoding="cp1251").columns[0]
        == "город"
    )


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be", "utf-16-be"])
def test_wide_letters_are_read_with_and_without_a_mark(encoding: str, tmp_path: Path) -> None:
    assert opened(tmp_path, ("größe,y\n" + "1,ä\n" * 9).encode(encoding)).columns == ("größe", "y")


def test_single_zero_bytes_are_left_out_and_told(tmp_path: Path) -> None:
    source = opened(tmp_path, b"a,y\n1,ye\0s\n2,no\n")
    assert cells(source) == [("1", "yes"), ("2", "no")]
    assert "1 zero byte is left out" in " ".join(source.notes)


@pytest.mark.parametrize("wanted", ["klingon", "base64", "rot13"])
def test_what_is_no_encoding_is_said(wanted: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no encoding"):
        opened(tmp_path, b"a,y\n1,2\n", encoding=wanted)


def test_signs_that_unicode_counts_as_line_ends_stay_in_their_cells(tmp_path: Path) -> None:
    source = opened(tmp_path, "a,y\nx\u2028y\x85z\x0b,yes\nb,no\n".encode())
    assert cells(source) == [("x\u2028y\x85z\x0b", "yes"), ("b", "no")]


def test_lines_in_two_encodings_are_each_read_in_their_own(tmp_path: Path) -> None:
    halves = [line.encode("utf-8" if i % 2 else "cp1252") for i, line in enumerate(LINES)]
    source = opened(tmp_path, b"ville,a,y\n" + b"".join([*halves, LINES[0].encode("cp1252")]))
    assert {row[0] for row in cells(source)} == {"Nîmes"}
    assert "25 are UTF-8; 26 are not, read as cp1252" in " ".join(source.notes)


@pytest.mark.parametrize(
    ("encoding", "word", "said"),
    [
        ("mac_roman", "Genève", "`mac_roman`, `cp850`"),
        ("mac_roman", "Orléans", "`mac_roman`, `cp850`"),
        ("cp850", "Orléans", "`mac_roman`, `cp850`"),
        ("cp1252", "Orléans", "if letters look wrong"),
        ("shift_jis", "東京", "another alphabet"),
        ("euc_jp", "東京", "another alphabet"),
        ("gb18030", "东京", "another alphabet"),
        ("cp1252", "été", "if letters look wrong"),
    ],
)
def test_how_sure_an_encoding_is_is_said(tmp_path: Path, encoding: str, word: str, said: str) -> None:
    source = opened(tmp_path, ("ville,a,y\n" + f"{word},1,no\n" * 20).encode(encoding))
    cells(source)
    assert said in " ".join(source.notes)


def test_letters_that_were_encoded_twice_are_told(tmp_path: Path) -> None:
    content = ("ville,a,y\n" + "".join(LINES)).encode().decode("cp1252").encode()
    assert "encoded twice, as `Ã®` for `î`" in " ".join(opened(tmp_path, content).notes)
