"""Read Parquet files, with the types that they state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.records import Form
from palio.data.source import Skipped, SourceOptions
from palio.data.sources import arrow_types, names
from palio.data.sources.content import Content

BATCH_ROWS = 65_536
_SAMPLE_ROWS = 1_000


class ParquetSource:
    """A Parquet file; cells arrive as int64, float64, text, or a moment in UTC."""

    loose = False
    form = Form(kind="parquet")
    called = "Parquet"

    def __init__(self, content: Content, options: SourceOptions) -> None:
        self.name = content.name
        self.missing = options.missing
        self.skipped = Skipped()
        self.remarks: tuple[str, ...] = ()
        self._content = content
        self._path = content.on_disk()
        if self._path.stat().st_size == 0:
            raise InputError(f"{self.name}: the file is empty", hint="name a file with rows")
        try:
            with self._opened() as file:
                schema = file.schema_arrow
                found = [self._settled(file, leaf) for leaf in arrow_types.leaves(schema)]
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) from None
        plain = [leaf for leaf in found if leaf.convert]
        if not plain and found:
            raise InputError(
                f"{self.name}: no column can be read: `{found[0].name}`: {found[0].remark}",
                hint="write a table of plain cells",
            )
        tidied = names.tidy([leaf.name for leaf in plain], self.name, target=options.target, expected=options.expected)
        self._leaves = [plain[i] for i in tidied.positions]
        self.columns = tidied.columns
        self.passed_over = {
            **{leaf.name: leaf.remark for leaf in found if not leaf.convert},
            **tidied.passed_over,
        }
        names.refuse_if_passed_over(options.target, self.passed_over, self.name)
        self._remarks = [
            *_about_structs(self._leaves, schema, self.name),
            *[f"{self.name}: `{leaf.name}`: {leaf.remark}" for leaf in self._leaves if leaf.remark],
            *tidied.notes,
        ]
        with self._path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self.fingerprint = digest_of([digest, options.missing])

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the form of the file."""
        return (*self.remarks, *self._remarks, *names.about_passed_over(self.passed_over, self.name))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows.

        Raises:
            InputError: the file is broken further down.
        """
        step = max(64, min(BATCH_ROWS, 4_000_000 // len(self.columns)))
        try:
            with self._opened() as file:
                tops, where = self._tops(file.schema_arrow)
                for batch in file.iter_batches(batch_size=step, use_threads=False, columns=tops):
                    moved = [
                        arrow_types.take(batch, pa_leaf) for pa_leaf in (_moved(leaf, where) for leaf in self._leaves)
                    ]
                    yield pa.RecordBatch.from_arrays(moved, names=list(self.columns))
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) from None

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        with pa.parquet.ParquetFile(self._path, pre_buffer=False) as file:
            yield file

    def _tops(self, schema: Any) -> tuple[list[str] | None, dict[int, int]]:
        """Return the columns to read, so that what is passed over is not even unpacked, and where they then stand."""
        wanted = sorted({leaf.path[0] for leaf in self._leaves})
        tops = [schema.names[i] for i in wanted]
        plain = len(set(schema.names)) == len(schema.names) and not any("." in name for name in schema.names)
        if not plain or len(wanted) == len(schema.names):
            return None, {i: i for i in range(len(schema.names))}
        return tops, {at: i for i, at in enumerate(wanted)}

    def _settled(self, file: Any, leaf: arrow_types.Leaf) -> arrow_types.Leaf:
        if not leaf.needs_look:
            return leaf
        is_bytes = pa.types.is_binary(leaf.type) or pa.types.is_large_binary(leaf.type)
        schema = file.schema_arrow
        top = leaf.path[0]
        alone = schema.names.count(schema.names[top]) == 1 and "." not in schema.names[top]
        cells = (
            arrow_types.take(batch, _moved(leaf, {top: 0 if alone else top}))
            for batch in file.iter_batches(
                batch_size=_SAMPLE_ROWS if is_bytes else BATCH_ROWS,
                use_threads=False,
                columns=[schema.names[top]] if alone else None,
            )
        )
        return arrow_types.after_look(leaf, cells)

    def _broken(self, error: BaseException) -> InputError:
        return InputError(
            f"{self.name}: not a readable {self.called} file: {str(error).splitlines()[0][:160]}",
            hint="write it again, or give it its true ending",
        )


def _moved(leaf: arrow_types.Leaf, where: dict[int, int]) -> arrow_types.Leaf:
    path = (where[leaf.path[0]], *leaf.path[1:])
    return arrow_types.Leaf(name=leaf.name, path=path, convert=leaf.convert, type=leaf.type)


def _about_structs(leaves: list[arrow_types.Leaf], schema: Any, where: str) -> list[str]:
    inside: dict[int, str] = {}
    for leaf in leaves:
        if len(leaf.path) > 1:
            inside.setdefault(leaf.path[0], leaf.name)
    if not inside:
        return []
    shown = ", ".join(f"`{schema.names[i]}`" for i in list(inside)[:6])
    first = next(iter(inside.values()))
    return [f"{where}: {shown} hold{'s' if len(inside) == 1 else ''} objects, unfolded to `{first}` …"]
