"""Find the reader that fits a file, a URL or a database."""

from __future__ import annotations

import importlib
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from palio.core.errors import InputError, NotFoundError, RefusedError, did_you_mean
from palio.data.boxes.columns import BOXES
from palio.data.pictures.albums import is_album
from palio.data.source import Source, SourceOptions, stated

if TYPE_CHECKING:
    from palio.data.boxes.source import BoxesSource
    from palio.data.sources.content import Content

READERS = {
    "delimited": "palio.data.sources.delimited:DelimitedSource",
    "lines": "palio.data.sources.json_lines:JsonLinesSource",
    "document": "palio.data.sources.json_document:JsonDocumentSource",
    "parquet": "palio.data.sources.parquet:ParquetSource",
    "arrow": "palio.data.sources.arrow:ArrowSource",
    "sheet": "palio.data.sources.sheets:SheetSource",
    "query": "palio.data.sources.query:QuerySource",
    "pictures": "palio.data.pictures.source:PicturesSource",
    "boxes": "palio.data.boxes.source:BoxesSource",
}
"""Kind of a source → the class that reads it; resolved on first use, so each brings in its libraries alone."""
KINDS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".psv", ".txt", ".dat", ".data", ".arff"), "delimited"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".feather", ".arrow", ".arrows", ".ipc"), "arrow"),
    **dict.fromkeys((".jsonl", ".ndjson"), "lines"),
    ".json": "document",
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "sheet"),
}
_INSTEAD = {
    ".pkl": "write it as Parquet: a pickle can run code, so none is opened",
    ".pickle": "write it as Parquet: a pickle can run code, so none is opened",
    ".db": "name it as sqlite:///PATH and give a query",
    ".sqlite": "name it as sqlite:///PATH and give a query",
    ".sqlite3": "name it as sqlite:///PATH and give a query",
    ".rar": "unpack it first",
    ".7z": "unpack it first",
    ".xml": "export the table as CSV or Parquet",
    ".html": "export the table as CSV or Parquet",
    ".pdf": "export the table as CSV or Parquet",
    ".orc": "write it as Parquet",
    ".avro": "write it as Parquet",
    ".sav": "export the table as CSV or Parquet",
    ".dta": "export the table as CSV or Parquet",
    ".sas7bdat": "export the table as CSV or Parquet",
    ".rds": "export the table as CSV or Parquet",
    ".rdata": "export the table as CSV or Parquet",
}
_CONTENTS = (
    (b"PAR1", "parquet", "a Parquet file"),
    (b"PK\x03\x04", "sheet", "a spreadsheet"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "sheet", "a spreadsheet"),
    (b"\x89PNG", "", "a picture"),
    (b"\xff\xd8\xff", "", "a picture"),
    (b"GIF8", "", "a picture"),
    (b"%PDF", "", "a PDF document"),
    (b"{\\rtf", "", "an RTF document"),
    (b"SQLite format 3", "", "an SQLite database"),
    (b"ARROW1", "arrow", "an Arrow file"),
    (b"FEA1", "", "a Feather file of version 1"),
    (b"ORC", "", "an ORC file"),
    (b"Obj\x01", "", "an Avro file"),
    (b"\x89HDF", "", "an HDF5 file"),
    (b"$FL2", "", "an SPSS file"),
    (b"Rar!", "", "a RAR archive"),
    (b"7z\xbc\xaf", "", "a 7z archive"),
    (b"\x7fELF", "", "a program"),
    (b"\x80\x04", "", "a pickle"),
)
_PAGES = (b"<!doctype", b"<html", b"<table", b"<?xml", b"<workbook")
_DATABASES = ("sqlite", "postgresql", "postgres")


def open_source(spec: str | Path, options: SourceOptions | None = None) -> Source:
    """Open a file, a URL or a query for reading.

    Args:
        spec: Path or URL (`https://`, `s3://`, whatever fsspec has a driver for) of a CSV (`.csv .tsv .tab .psv .txt
            .dat .data .arff`), Parquet (`.parquet .pq`), Arrow (`.feather .arrow .arrows .ipc`), JSON (`.jsonl .ndjson
            .json`) or spreadsheet file (`.xlsx .xlsm .xlsb .xls .ods`), packed with gzip, bzip2, xz, zstd or alone in
            a ZIP archive; or `sqlite:///PATH`, `postgresql://…` with `options.query`.
        options: How to read it.

    Raises:
        InputError: the form is not supported, or the file contradicts its name or the options.
        NotFoundError: there is no such file.
        RefusedError: the file lies outside `options.within`.
        UnavailableError: the database, the other side of the URL or its driver is not there.
    """
    options = options or SourceOptions()
    text = str(spec)
    if not text.strip():
        raise InputError("no source is named", hint="name a file, or a database with a query")
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme.partition("+")[0] in _DATABASES:
        return _reader("query")(text, options)
    if options.query:
        raise InputError(
            f"{text}: a query is given, but this is a file", hint="remove [data] query, or name a database"
        )
    from palio.data.sources.content import Content

    if scheme and scheme != "file":
        from palio.data.sources.fetching import fetched, shown

        if options.within:
            raise RefusedError(f"{shown(text)}: lies outside {options.within}", hint="copy the file into the folder")
        return _open(fetched(text), options)
    path = Path(unquote(urlsplit(text).path) if scheme else text).expanduser()
    if options.images:
        return _with_pictures(path, options)
    _check_path(path, options.within)
    if is_album(path):
        return _of_album(path, options)
    if _speaks_of_boxes(path, options):
        return _boxes(path, options, path.parent)
    _check_name(path)
    return _open(Content(path), options)


def _asks_for_boxes(options: SourceOptions) -> bool | None:
    """Tell whether boxes are wanted; None: if there are any."""
    if options.expected:
        return BOXES in options.expected
    if options.task != "auto":
        return options.task == "detection"
    return options.target == BOXES if options.target else None


def _of_album(path: Path, options: SourceOptions) -> Source:
    """Open a folder or archive of pictures, with boxes if that is asked for, or found."""
    asked = _asks_for_boxes(options)
    if asked is not False:
        source: Any = _reader("boxes")(path, options)
        if asked or source.has_boxes:
            return source  # type: ignore[no-any-return]
    return _reader("pictures")(path, options)


def _boxes(path: Path, options: SourceOptions, images: Path) -> BoxesSource:
    """Open a file, or a folder, of annotation whose pictures lie in `images`."""
    from palio.data.boxes.source import BoxesSource

    return BoxesSource(images, options, file=path)


def _speaks_of_boxes(path: Path, options: SourceOptions) -> bool:
    """Tell whether a file that is named without its pictures is one of annotation."""
    asked = _asks_for_boxes(options)
    if asked is False or (asked is None and path.suffix.lower() not in (".json", ".xml", ".yaml", ".yml")):
        return False
    from palio.data.boxes.finding import is_annotation

    return is_annotation(path)


def _with_pictures(path: Path, options: SourceOptions) -> Source:
    """Open a table whose rows name pictures, or say what is where in them."""
    from palio.data.boxes.finding import is_annotation
    from palio.data.pictures.table import TableOfPictures

    asked = _asks_for_boxes(options)
    if asked is not False:
        _check_path(path, options.within)
        if is_album(path):
            source = _boxes(path, options, Path(options.images))
            if asked or source.has_boxes:
                return source
        elif asked or is_annotation(path):
            return _boxes(path, options, Path(options.images))
    plain = open_source(path, msgspec.structs.replace(options, images=""))
    if stated(plain).target:
        raise InputError(
            f"{path.name}: these are pictures already, and no table that names some",
            hint="name the table that holds their labels, or remove [data] images",
        )
    return TableOfPictures(plain, options)


def _open(content: Content, options: SourceOptions) -> Source:
    by_name, by_content = KINDS.get(content.ending, ""), _by_content(content, KINDS.get(content.ending, ""))
    kind = by_content or by_name or _by_text(content, options)
    remark = ""
    if by_name and kind != by_name and {kind, by_name} != {"lines", "document"}:
        remark = f"{content.name}: the name says {content.ending}, the content is {_WHAT[kind]} and read as such"
    source: Any = _reader(kind)(content, options)
    if remark:
        source.remarks = (remark,)
    return source  # type: ignore[no-any-return]


_WHAT = {
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
    "sheet": "a spreadsheet",
    "delimited": "text",
    "lines": "JSON lines",
    "document": "JSON",
}


def _by_content(content: Content, by_name: str) -> str:
    """Tell the kind by the first bytes; empty if they tell nothing.

    Raises:
        InputError: the content is something that is not read.
    """
    for magic, kind, what in _CONTENTS:
        if content.head.startswith(magic):
            if kind:
                return kind
            if what == "a picture":
                raise InputError(
                    f"{content.name}: one picture alone is no table",
                    hint="name the folder or archive that holds a folder of pictures for each class",
                )
            raise InputError(
                f"{content.name}: the name says a table, the content is {what}",
                hint="name it as sqlite:///PATH and give a query"
                if "SQLite" in what
                else "export the table as CSV or Parquet",
            )
    start = content.head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_PAGES):
        raise InputError(
            f"{content.name}: the content is a web page or XML, not a table",
            hint="open it in a spreadsheet and save it as .xlsx or CSV",
        )
    if by_name == "sheet" and content.head:
        return "delimited"  # exports of web applications are called .xls
    is_json = by_name == "delimited" and _begins_as_json(content)
    if by_name in ("lines", "document") or is_json:
        from palio.data.sources.json_document import is_lines

        return "lines" if is_lines(content, by_name == "lines") else "document"
    if (
        by_name in ("parquet", "arrow")
        and content.head
        and b"\0" not in content.head
        and not content.head.startswith(b"PAR")
    ):
        return "delimited"
    return ""


def _begins_as_json(content: Content) -> bool:
    """Tell whether a file that is called a CSV is JSON: rows of a table begin with a brace only by a rare chance."""
    first = content.head.lstrip(b"\xef\xbb\xbf \t\r\n").splitlines()[:1]
    if not first or not first[0].startswith((b"{", b"[")):
        return False
    if first[0].rstrip() in (b"{", b"["):
        return True
    try:
        return isinstance(msgspec.json.decode(first[0].rstrip().rstrip(b",")), dict | list)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return len(first[0]) > 4096 and first[0].startswith((b'{"', b'[{"'))


def _by_text(content: Content, options: SourceOptions) -> str:
    """Take a file with an unknown ending for what its text looks like.

    Raises:
        InputError: it does not look like a table.
    """
    head = content.head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if content.ending not in _INSTEAD and head.startswith((b'{"', b"[{")):
        from palio.data.sources.json_document import is_lines

        return "lines" if is_lines(content, called_lines=False) else "document"
    if content.ending not in _INSTEAD and head and b"\0" not in head:
        return "delimited" if len(_reader("delimited")(content, options).columns) > 1 else _refuse(content)
    return _refuse(content)


def _refuse(content: Content) -> str:
    suffix = content.ending
    raise InputError(
        f"{content.name}: files that end in `{suffix}` are not read, allowed are {', '.join(KINDS)}",
        hint=_INSTEAD.get(suffix) or (did_you_mean(suffix, KINDS) if suffix else "add the ending"),
    )


def _reader(kind: str) -> Callable[[Any, SourceOptions], Source]:
    module, _, name = READERS[kind].partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def _check_name(path: Path) -> None:
    if (suffix := path.suffix.lower()) in _INSTEAD:
        raise InputError(
            f"{path.name}: files that end in `{suffix}` are not read, allowed are {', '.join(KINDS)}",
            hint=_INSTEAD[suffix],
        )


def _check_path(path: Path, within: str) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise NotFoundError(f"{path}: the link leads nowhere", hint="name the file itself") from None
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotFoundError(
            f"{path}: there is no such file", hint=did_you_mean(path.name, near) if near else "check the folder"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{str(path)[:200]!r}: not a path that can be read: {getattr(error, 'strerror', None) or error}",
            hint="check it",
        ) from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path.name}: this is a device or a pipe, a file is wanted", hint="write it to a file first")
    if within and not path.resolve().is_relative_to(Path(within).resolve()):
        raise RefusedError(f"{path}: lies outside {within}", hint="copy the file into the folder")
