"""Take late truths: read them, hold them to the task, and write them before they are acknowledged."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from palio.core.cells import BLANKS, CellReader, boxes_of, cell_of, label, outside, row_key
from palio.core.cells.moments import of_digits, of_number, read_moment
from palio.core.cells.numbers import is_plain, read_text
from palio.core.clock import zone_of
from palio.core.errors import ContractError, PalioError
from palio.core.records import Box, Column, Manifest, Task
from palio.core.serving import Feedback
from palio.measure import questions
from palio.serve.protocols.invocations_files import read_csv
from palio.serve.protocols.malformed import not_json
from palio.serve.protocols.wire import Caps, Reply, WireError
from palio.serve.sides import Sides
from palio.store import FeedbackLog

_ID = re.compile(r"[A-Za-z0-9_:-]{1,120}\.[0-9]{1,9}")
_MAX_TEXT = 512
_MOST_UNKNOWN = 20
_CSV = b"text/csv"
_EARLIEST_S = 1e8
"""A smaller number (1973) is no count of seconds, but a year or a mistake."""


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    """One truth, as it comes in JSON."""

    prediction_id: str = ""
    key: str | float = ""
    label: str | float | bool | list[Box] | None = None
    """A class, a number, or boxes: all that is in a picture."""
    at: str | float | None = None
    values: dict[str, float] = msgspec.field(default_factory=dict)


class _Wrapped(msgspec.Struct, forbid_unknown_fields=True):
    feedback: list[_Given]


_FRACTION = 1.5
"""Boxes none of whose numbers is larger are in fractions: in pixels they would be specks in the corner."""
_BOXES = 'send [{"label": …, "box": [left, top, right, bottom]}, …] in pixels, [] where nothing is'
_ANY_SIDES = (math.inf, math.inf)
"""Of a picture that is not known: only what lies beside its left or top edge is outside of it."""
_LARGEST = 1e100
"""Numbers beyond this are taken for a mistake: their squares overflow."""
_encode = msgspec.json.Encoder().encode


class Truths:
    """Read feedback in the words of what the model predicts.

    Args:
        task: What is predicted; None for a graph that was made elsewhere, which takes any label.
        column: How the target was read: labels are read like its cells. None: as they come.
        id_column: How the data calls the key of a row.
        zone: Of moments that name none.
        sides: Knows how large the pictures of answers are; None: nobody does.

    Example:
        >>> truths = Truths(Task(kind="classification", target="y", classes=("no", "yes")))
        >>> now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        >>> truths.read({"prediction_id": "9f0c-1.0", "label": "yes"}, now=now, where="row 0").label
        'yes'
    """

    def __init__(
        self,
        task: Task | None,
        column: Column | None = None,
        *,
        id_column: str | None = None,
        zone: str = "UTC",
        sides: Sides | None = None,
    ) -> None:
        self._sides = sides or Sides()
        self._zone, self.zone = zone_of(zone), zone
        self.n_without_zone = self.n_days = 0
        """Moments that named no zone, and days without a time, that were read so far."""
        self._classes = frozenset(task.classes) if task is not None else frozenset()
        self._is_number = task is not None and not questions.of(task).is_text
        self._are_boxes = task is not None and task.kind == "detection"
        self._reader = None if column is None else CellReader(column)
        self._decimal = column.decimal if column is not None else "."
        self.names = ({task.target: "label"} if task is not None else {}) | ({id_column: "key"} if id_column else {})
        """How the data calls what feedback calls `label` and `key`."""

    @classmethod
    def of(cls, manifest: Manifest | None, *, zone: str = "UTC", sides: Sides | None = None) -> Truths:
        """Make the reader of truths about the answers of a bundle; None: about those of any graph."""
        if manifest is None:
            return cls(None, zone=zone)
        column = next((c for c in manifest.schema.columns if c.name == manifest.task.target), None)
        return cls(manifest.task, column, id_column=manifest.schema.id, zone=zone, sides=sides)

    def read(self, given: Mapping[str, Any], *, now: dt.datetime, where: str, any_id: bool = False) -> Feedback:
        """Check one truth: `prediction_id` or `key`, `label`, and maybe `at` and `values`.

        With `any_id` a prediction id may have any form: whoever counts which truths met an answer tells of it then.

        Raises:
            ContractError: it names no row, its label is missing or no number where one is due, a moment or value makes
                no sense. A class that the model does not know is taken: see `unknown`.
        """
        identity, key = str(given.get("prediction_id") or "").strip(BLANKS), row_key(given.get("key"))
        if identity and not (any_id and len(identity) <= _MAX_TEXT) and not _ID.fullmatch(identity):
            raise _wrong(
                where,
                "prediction_id",
                "is not the id of an answer",
                hint="send it as it was answered: `<request>.<row>`, rows from 0",
            )
        if not identity and not key:
            raise _wrong(where, "prediction_id", "is missing, and so is `key`", hint="say which row it is about")
        if len(key) > _MAX_TEXT:
            raise _wrong(where, "key", f"is longer than {_MAX_TEXT} characters", hint="send the row key as it is")
        return Feedback(
            prediction_id=identity,
            key=key,
            label=self._label(given.get("label"), where, identity),
            at=self._moment(given.get("at"), now, where),
            values={str(name): self._value(name, value, where) for name, value in (given.get("values") or {}).items()},
        )

    def is_missing(self, cell: Any) -> bool:
        """Tell whether a cell of the label says that the truth is not known yet."""
        if self._reader is not None:
            return self._reader.is_missing(cell)
        return cell is None or (isinstance(cell, str) and not cell.strip(BLANKS))

    def _label(self, cell: Any, where: str, identity: str) -> str | float:
        if self.is_missing(cell):
            raise _wrong(where, "label", "is missing", hint="leave out rows whose truth is not known yet")
        if isinstance(cell, list):
            cell = cell_of(cell)
        cell = cell.strip(BLANKS) if isinstance(cell, str) else cell
        if self._are_boxes:
            return self._boxes(cell, where, self._sides.of(identity))
        parsed = None if self._reader is None else self._reader.parse(cell)
        if self._is_number:
            number = _number(cell) if self._reader is None else None if parsed is None else _number(parsed.value)
            if number is None:
                hint = f"this model predicts a number; write it with `{self._decimal}` before decimals"
                raise _wrong(where, "label", "is not a finite number", hint=hint)
            return number
        if not self._classes and isinstance(cell, int | float) and not isinstance(cell, bool):
            return float(cell)
        # the world may have a class that the model does not know: that is a truth too
        return label(cell if parsed is None else parsed.value)[:_MAX_TEXT]

    def _boxes(self, cell: Any, where: str, sides: tuple[int, int] | None) -> str:
        try:
            found = boxes_of(cell)
        except ValueError as error:
            raise _wrong(where, "label", f"is no list of boxes: {error}", hint=_BOXES) from None
        if found and all(max(map(abs, one.box)) <= _FRACTION for one in found):
            raise _wrong(where, "label", "is in fractions of the picture, not in pixels", hint=_BOXES)
        if (stray := outside(found, *(sides or _ANY_SIDES))) is not None:
            of = "of any picture" if sides is None else f"of the picture, which has {sides[0]} × {sides[1]} pixels"
            corners = ", ".join(f"{number:.6g}" for number in stray.box)
            raise _wrong(where, "label", f"has a box ({corners}) most of which lies outside {of}", hint=_BOXES)
        return cell_of(found)

    def _value(self, name: str, value: Any, where: str) -> float:
        number = _number(read_text(value.strip(BLANKS), self._decimal) if isinstance(value, str) else value)
        if number is None:
            raise _wrong(where, str(name)[:60], "is not a finite number", hint="business figures are numbers")
        return number

    def _moment(self, at: Any, now: dt.datetime, where: str) -> dt.datetime:
        """Read when a truth was known; a day without a time means its end."""
        if at is None or (isinstance(at, str) and not at.strip(BLANKS)):
            return now
        if isinstance(at, dt.datetime):
            moment, has_time, has_zone = at, True, at.tzinfo is not None
        elif isinstance(at, dt.date):
            moment, has_time, has_zone = dt.datetime.combine(at, dt.time()), False, False
        elif (counted := _counted(at)) is not None:
            moment, has_time, has_zone = counted
        else:
            found = read_moment(str(at).strip(BLANKS))
            if found is None:
                raise _wrong(where, "at", "is not a moment", hint="write it as ISO 8601: 2026-05-04T12:00:00Z")
            moment, has_time, has_zone = (
                dt.datetime.fromtimestamp(found.seconds, dt.UTC),
                found.has_time,
                found.has_zone,
            )
            has_zone = has_zone or found.way == "clock"
            has_time = has_time or found.way == "clock"
        if not has_zone:
            self.n_without_zone += has_time
            moment = moment.replace(tzinfo=self._zone)
        if not has_time:
            self.n_days += 1
            moment = moment + dt.timedelta(days=1) - dt.timedelta(microseconds=1)
        moment = moment.astimezone(dt.UTC)
        if moment > now + dt.timedelta(days=1):
            raise _wrong(where, "at", "lies in the future", hint="say when the truth was known")
        return min(moment, now)  # the newest truth holds: a clock that is ahead must not win over one that is right

    def unknown(self, feedback: Iterable[Feedback]) -> dict[str, int]:
        """Count the labels that are no class of the model, most frequent first."""
        if not self._classes:
            return {}
        given = (str(one.label) for one in feedback)
        if self._are_boxes:
            given = (box.label for cell in given for box in boxes_of(cell))
        counts = Counter(name for name in given if name not in self._classes)
        return dict(counts.most_common(_MOST_UNKNOWN))


def receive_feedback(
    body: bytes, content_type: bytes, log: FeedbackLog, truths: Truths, *, caps: Caps, caller: str, now: dt.datetime
) -> Reply:
    """Answer `POST /feedback`: all of a body is on disk when it is acknowledged, or none of it is taken.

    Takes `{"feedback": [{…}, …]}`, `[{…}, …]`, one `{…}`, or CSV with a header (`text/csv`). Runs in a thread: it waits
    for the disk.

    Raises:
        WireError: 400 malformed, 413 too many, 422 a row that makes no sense, 503 it cannot be written.
    """
    try:
        is_csv = content_type.split(b";")[0].strip().lower() == _CSV
        rows = _csv(body, caps, truths) if is_csv else _json(body)
        if not rows:
            raise WireError(400, "there is no feedback in the body")
        if len(rows) > caps.max_rows:
            raise WireError(413, f"{len(rows)} are more than the {caps.max_rows} that are allowed in one request")
        feedback = [truths.read(row, now=now, where=f"row {i}") for i, row in enumerate(rows)]
        log.add(feedback, caller=caller)
    except PalioError as error:
        raise WireError.of(error) from None
    unknown, said = truths.unknown(feedback), {}
    if truths.n_without_zone:
        said["zone"] = truths.zone  # how moments were read that name none
    return Reply(200, _encode({"received": len(rows)} | ({"unknown_labels": unknown} if unknown else {}) | said))


def _json(body: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        value = msgspec.json.decode(body)
        if isinstance(value, dict):
            value = msgspec.convert(value, _Wrapped).feedback if "feedback" in value else [value]
        given = msgspec.convert(value, list[_Given])
    except RecursionError:
        raise WireError(400, "the JSON is nested too deeply") from None
    except msgspec.ValidationError as error:
        what = str(error)
        raise WireError(400, f"the feedback is not of the right form: {what[0].lower()}{what[1:]}"[:300]) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise not_json(body, 'send {"feedback": [{"prediction_id": …, "label": …}]}') from None
    return [msgspec.structs.asdict(one) for one in given]


def _csv(body: bytes, caps: Caps, truths: Truths) -> Sequence[Mapping[str, Any]]:
    rows = read_csv(body, caps)
    # a table of truths may name them as the data did
    fields = {name: field for name, field in truths.names.items() if rows and field not in rows[0]}
    found = [{fields.get(name, name): cell for name, cell in row.items()} for row in rows]
    if found and ("label" not in found[0] or not {"prediction_id", "key"} & found[0].keys()):
        also = "".join(f"; `{name}` stands for `{field}`" for name, field in truths.names.items())
        raise WireError(400, f"the CSV needs a header with `label` and with `prediction_id` or `key`{also}")
    return [from_cells(row) for row in found]


def from_cells(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a row of a table into feedback: columns that are not named as its fields are business figures."""
    fields = {name: cells[name] for name in ("prediction_id", "key", "label", "at") if name in cells}
    return {**fields, "values": {n: v for n, v in cells.items() if n not in fields and v not in ("", None)}}


def _counted(at: Any) -> tuple[dt.datetime, bool, bool] | None:
    """Read a moment that is a number or digits: seconds since 1970 (or thousandths, and so on), or 20260504.

    Gives the moment, whether it has a time, and whether it has a zone; None if it is none.
    """
    text = str(at).strip(BLANKS)
    seconds = of_digits(text, None) if is_plain(text) and not isinstance(at, bool) else None
    if seconds is None or seconds < _EARLIEST_S:
        return None
    is_count = of_number(float(text), None) == seconds
    return dt.datetime.fromtimestamp(seconds, dt.UTC), is_count or len(text) > len("20260504"), is_count


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) <= _LARGEST else None  # NaN is not


def _wrong(where: str, column: str, what: str, *, hint: str) -> ContractError:
    return ContractError(
        f"{where}: `{column}` {what}",
        hint=hint,
        facts={"violations": [{"column": column, "rule": "feedback"}]},
    )
