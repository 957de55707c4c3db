"""Read the answer to a query on SQLite or PostgreSQL, through a connection that cannot write."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import re
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import sqlalchemy as sa

from palio.core.errors import InputError, NotFoundError, RefusedError, UnavailableError, need
from palio.core.records import Form
from palio.data.source import Skipped, SourceOptions
from palio.data.sources import names

_BATCH_ROWS = 20_000
_COLON = re.compile(r"(?<![:\w\\]):(?=\w)")
_COMMENT = re.compile(r"\A(\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)


class QuerySource:
    """The rows of one query. It is asked once; the answer waits in a temporary file for every reading.

    So all readings see the same rows, however the database changes meanwhile.
    """

    loose = True
    form = Form(kind="query")

    def __init__(self, url: str, options: SourceOptions) -> None:
        try:
            parsed = sa.engine.make_url(re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url))
        except (sa.exc.ArgumentError, ValueError):
            raise InputError(
                "the database address is not a URL", hint="write sqlite:///PATH or postgresql://HOST/NAME"
            ) from None
        self.name = sa.URL.create(
            parsed.get_backend_name(), host=parsed.host, port=parsed.port, database=parsed.database
        ).render_as_string()
        self.missing = options.missing
        self.skipped = Skipped()
        self.passed_over: dict[str, str] = {}
        engine = _engine(parsed)
        self._spool = tempfile.TemporaryFile(suffix=".arrow")  # noqa: SIM115 — lives as long as the source
        weakref.finalize(self, self._spool.close)
        try:
            raw, digest = self._ask(engine, options.query)
        except BaseException:
            self._spool.close()
            raise
        finally:
            engine.dispose()
        tidied = names.tidy(raw, "the query", target=options.target, expected=options.expected)
        unread = {i: what for i, what in self._unread.items() if i in tidied.positions}
        called = dict(zip(tidied.positions, tidied.columns, strict=True))
        self.passed_over = {**{called[i]: what for i, what in unread.items()}, **tidied.passed_over}
        names.refuse_if_passed_over(options.target, self.passed_over, "the query")
        self._kept = [i for i in tidied.positions if i not in unread]
        self.columns = tuple(called[i] for i in self._kept)
        self.notes = (*tidied.notes, *names.about_passed_over(self.passed_over, "the query"))
        self.fingerprint = digest_of_answer(digest, options)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows as text."""
        self._spool.seek(0)
        with pa.ipc.open_stream(pa.PythonFile(self._spool, mode="r")) as reader:
            for batch in reader:
                kept = [batch.column(i) for i in self._kept]
                yield pa.RecordBatch.from_arrays(kept, names=list(self.columns))

    def _ask(self, engine: sa.Engine, query: str) -> tuple[tuple[str, ...], str]:
        sha = hashlib.sha256()
        try:
            with engine.connect() as connection:
                _check(query, connection, self.name)
                connection = connection.execution_options(stream_results=True, max_row_buffer=_BATCH_ROWS)
                answer = connection.execute(sa.text(_COLON.sub(r"\\:", query)))
                raw = tuple(answer.keys())
                self._write(raw, answer, sha)
        except sa.exc.NoSuchModuleError as error:
            raise UnavailableError(f"{self.name}: {error}", hint="use sqlite:/// or postgresql://") from None
        except sa.exc.ResourceClosedError:
            raise InputError(f"{self.name}: the statement gives no rows", hint="write a SELECT") from None
        except sa.exc.DBAPIError as error:
            raise _explain(error, self.name) from None
        return raw, sha.hexdigest()

    def _write(self, raw: tuple[str, ...], answer: Any, sha: Any) -> None:
        schema = pa.schema([(str(i), pa.string()) for i in range(len(raw))])
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._unread: dict[int, str] = {}
        with pa.ipc.new_stream(pa.PythonFile(self._spool, mode="w"), schema, options=options) as writer:
            for rows in answer.partitions(_BATCH_ROWS):
                columns = [
                    pa.array([self._cell(v, i) for v in column], pa.string())
                    for i, column in enumerate(zip(*rows, strict=True))
                ]
                for column in columns:
                    for buffer in column.buffers():
                        sha.update(buffer or b"\0")
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))

    def _cell(self, value: Any, position: int) -> str | None:
        """Write a cell as text, so that the same value has the same text from every source."""
        if value is None or type(value) is str:
            return value
        if type(value) is bool:
            return "true" if value else "false"
        if isinstance(value, bytes | memoryview):
            self._unread.setdefault(position, "it holds bytes")
            return None
        if isinstance(value, dict | list | tuple | set):
            self._unread.setdefault(position, f"it holds {'objects' if isinstance(value, dict) else 'lists'}")
            return None
        if isinstance(value, dt.datetime):
            return value.isoformat(sep=" ")
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        if isinstance(value, dt.timedelta):
            return repr(value.total_seconds())
        if isinstance(value, decimal.Decimal):
            return format(value, "f") if value.is_finite() else str(value)
        return repr(value) if type(value) in (int, float) else str(value)


def digest_of_answer(digest: str, options: SourceOptions) -> str:
    """Return the identity of an answer: its cells and the missing marks."""
    return hashlib.sha256(f"{digest}{options.missing}".encode()).hexdigest()


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "")
        if not url.database or not path.is_file():
            raise NotFoundError(f"{url.database or 'sqlite:///'}: there is no such database", hint="check the path")
        uri = f"{path.resolve().as_uri()}?mode=ro"
        import sqlite3

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
            try:
                connection.execute("PRAGMA query_only=ON")
                connection.execute("PRAGMA schema_version")  # reads the file: is it a database at all?
            except sqlite3.Error:
                connection.close()
                raise
            return connection

        return sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.NullPool)
    try:
        return sa.create_engine(url, poolclass=sa.pool.NullPool, execution_options={"postgresql_readonly": True})
    except ModuleNotFoundError as error:
        raise need("postgres", error) from None


def _check(query: str, connection: sa.Connection, name: str) -> None:
    if not query.strip():
        tables = sa.inspect(connection).get_table_names()
        shown = ", ".join(tables[:8]) or "none"
        raise InputError(
            f"{name}: no query is given; its tables: {shown}", hint='set [data] query, e.g. "SELECT * FROM a_table"'
        )
    statement = _COMMENT.sub("", query).strip().rstrip(";")
    word = (re.match(r"\(*\s*(\w*)", statement) or [""])[0].strip("( \n\t").upper()
    if word not in ("SELECT", "WITH", "VALUES", "TABLE") or ";" in re.sub(r"'[^']*'", "", statement):
        raise RefusedError(
            f"{name}: only one reading statement is allowed, this one begins with {word or 'nothing'}",
            hint="write a single SELECT",
        )


def _explain(error: sa.exc.DBAPIError, name: str) -> Exception:
    reason = str(error.orig).strip().splitlines()[0][:300] if error.orig else "no reason given"
    if "readonly" in reason or "read-only" in reason:
        return RefusedError(f"{name}: the statement writes, only reading is allowed", hint="write a single SELECT")
    if error.connection_invalidated or "connect" in reason.lower() or "not a database" in reason:
        return UnavailableError(f"{name}: cannot be reached: {reason}", hint="check the address and that it runs")
    return InputError(f"{name}: the query fails: {reason}", hint="try it in the database's own client first")
