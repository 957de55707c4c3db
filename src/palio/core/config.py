"""Read `palio.toml`: a table per room, one level deep; an unknown key is an error with the nearest name.

Precedence: default < file < environment (`PALIO_ROOM_KEY`) < flag. Only `cli`, `console` and `flow` read this.
"""

from __future__ import annotations

import os
import re
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from palio.core.cells import MISSING
from palio.core.errors import ConfigError, InputError, did_you_mean
from palio.core.monitoring import FindingKind, Kpi
from palio.core.serving import Rule
from palio.core.strict import read_record

FILE_NAME = "palio.toml"
SECRETS = ("PALIO_ALERT_PASSWORD",)
"""Variables that look like settings and are none: they must not stand in a file."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables of `palio.toml`."""


class ProjectTable(_Table, frozen=True, kw_only=True):
    """[project]: what is to be predicted."""

    name: str = "model"
    task: Literal["auto", "classification", "regression", "detection"] = "auto"


class DataTable(_Table, frozen=True, kw_only=True):
    """[data]: where the rows come from and what the columns are for."""

    source: str = ""
    query: str = ""
    target: str = ""
    positive: str = ""
    id: str = ""
    group: str = ""
    weight: str = ""
    time: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    images: str = ""
    classes: tuple[str, ...] = ()
    separator: str = "auto"
    header: Literal["auto", "yes", "no"] = "auto"
    encoding: str = "auto"
    quote: str = "auto"
    comment: str = "auto"
    decimal: Literal["auto", ".", ","] = "auto"
    date_order: Literal["auto", "dmy", "mdy", "ymd"] = "auto"
    sheet: str = ""
    range: str = ""
    missing: tuple[str, ...] = MISSING
    on_violation: Literal["refuse", "quarantine"] = "refuse"


class SplitTable(_Table, frozen=True, kw_only=True):
    """[split]: how rows are cut, and how often the sealed test part may be looked at."""

    policy: Literal["auto", "60-20-20", "80-10-10", "cv"] = "auto"
    method: Literal["auto", "random", "grouped", "time", "given"] = "auto"
    by: str = ""
    seed: int = 0
    looks: int = 20


class TrainTable(_Table, frozen=True, kw_only=True):
    """[train]: what the search may spend and what it aims at."""

    budget_s: float = 300.0
    metric: str = "auto"
    seed: int = 0
    engine: Literal["local", "inline"] = "local"
    prefer: Literal["best", "simple"] = "best"
    trials: Annotated[int, msgspec.Meta(ge=0)] = 0
    objective: Literal["auto", "squared", "absolute", "huber", "quantile", "poisson", "log_loss", "focal"] = "auto"
    imbalance: Literal["none", "balanced"] = "none"
    threshold: str = "auto"
    backbone: str = ""
    imported: str = ""
    imported_decode: Literal["auto", "yolox-grid", "yolo", "detr", "boxes-scores-classes"] = "auto"
    imported_classes: tuple[str, ...] = ()
    families: tuple[str, ...] = ()


class LimitsTable(_Table, frozen=True, kw_only=True):
    """[limits]: what the target hardware allows."""

    latency_ms_p99: float = 20.0
    size_mb: float = 100.0
    device: Literal["cpu", "cuda"] = "cpu"


class GateTable(_Table, frozen=True, kw_only=True):
    """[gate]: what a challenger must show."""

    non_inferiority: float = 0.0
    approval: Literal["auto", "human"] = "auto"
    worse_slices: Literal["refuse", "allow"] = "refuse"


class ValueTable(_Table, frozen=True, kw_only=True):
    """[value]: what an error costs, so that an improvement has a price."""

    error_cost: float = 0.0
    miss_cost: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    false_alarm_cost: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    requests_per_day: float = 0.0
    currency: str = "EUR"
    kpis: tuple[Kpi, ...] = ()


class ServeTable(_Table, frozen=True, kw_only=True):
    """[serve]: the server."""

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int = 0
    max_body_mb: Annotated[float, msgspec.Meta(gt=0)] = 64.0
    max_rows: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    absent_columns: Literal["refuse", "answer"] = "refuse"
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    max_in_flight: Annotated[int, msgspec.Meta(ge=0)] = 0
    max_held_mb: Annotated[float, msgspec.Meta(gt=0)] = 256.0
    max_connections: Annotated[int, msgspec.Meta(ge=0)] = 0
    head_timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    origins: tuple[str, ...] = ()
    admin_host: str = "127.0.0.1"
    admin_port: int = 0
    trust: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


class LogTable(_Table, frozen=True, kw_only=True):
    """[log]: what is kept of the answers that were given."""

    dir: str = ""
    durability: Literal["flush", "fsync", "off"] = "flush"
    inputs: Literal["all", "sample", "hash", "none"] = "all"
    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    redact: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    salt: str = ""
    retention_days: Annotated[int, msgspec.Meta(ge=0)] = 90
    zone: str = "UTC"
    flush_ms: Annotated[float, msgspec.Meta(ge=1, le=60_000)] = 200.0
    buffer_rows: Annotated[int, msgspec.Meta(ge=1)] = 100_000
    segment_mb: Annotated[float, msgspec.Meta(gt=0, le=1024)] = 64.0
    max_text: Annotated[int, msgspec.Meta(ge=100)] = 50_000
    pictures_mb: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class MonitorTable(_Table, frozen=True, kw_only=True):
    """[monitor]: how what was served is watched."""

    window: str = "1d"
    history: str = "30d"
    min_rows: Annotated[int, msgspec.Meta(ge=50)] = 200
    segments: tuple[str, ...] = ()
    labels_after: str = "auto"


class AlertTable(_Table, frozen=True, kw_only=True):
    """[alert]: when people are told, and how."""

    on: tuple[Literal["page", "warn", "note"], ...] = ("page",)
    persistence: str = "2 of 3"
    cooldown: str = "1d"
    webhook: str = ""
    email: tuple[str, ...] = ()
    sender: str = ""
    smtp: str = ""
    command: tuple[str, ...] = ()
    private_addresses: Literal["refuse", "allow"] = "refuse"


class RetrainTable(_Table, frozen=True, kw_only=True):
    """[retrain]: when a new challenger is trained, and how it goes live."""

    schedule: str = "never"
    on: tuple[FindingKind, ...] = ("quality", "estimated_quality", "concept_drift", "value", "classes")
    new_labels: Annotated[int, msgspec.Meta(ge=0)] = 0
    min_labels: Annotated[int, msgspec.Meta(ge=1)] = 500
    cooldown: str = "1d"
    budget_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    cost_per_hour: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    horizon_days: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    release: Literal["promote", "canary"] = "promote"
    rollout: str = ""


class ReportTable(_Table, frozen=True, kw_only=True):
    """[report]: the words of the report."""

    cases: str = "cases"
    unit: str = ""


class StoreTable(_Table, frozen=True, kw_only=True):
    """[store]: where ledger and blobs live; empty means inside the project folder."""

    url: str = ""
    blobs: str = ""


class Config(_Table, frozen=True, kw_only=True):
    """All settings of a project."""

    project: ProjectTable = ProjectTable()
    data: DataTable = DataTable()
    split: SplitTable = SplitTable()
    train: TrainTable = TrainTable()
    limits: LimitsTable = LimitsTable()
    gate: GateTable = GateTable()
    value: ValueTable = ValueTable()
    serve: ServeTable = ServeTable()
    log: LogTable = LogTable()
    monitor: MonitorTable = MonitorTable()
    alert: AlertTable = AlertTable()
    retrain: RetrainTable = RetrainTable()
    report: ReportTable = ReportTable()
    store: StoreTable = StoreTable()


def load(folder: Path, *, env: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None) -> Config:
    """Read the settings of the project in `folder`.

    Args:
        folder: Holds `palio.toml`.
        env: Environment to read `PALIO_ROOM_KEY` from; the process's own if None.
        flags: `"room.key"` → value, from the command line; None values are skipped.

    Raises:
        ConfigError: no file, bad TOML, an unknown table or key, a value of the wrong type.
    """
    return parse(read_tables(folder), env=os.environ if env is None else env, flags=flags or {})


def read_tables(folder: Path) -> dict[str, Any]:
    """Read what stands in the `palio.toml` of `folder`, unchecked.

    Raises:
        ConfigError: no file, or bad TOML.
    """
    path = folder / FILE_NAME
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no project here", hint="run palio init FILE --target COLUMN, or name one with --dir"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}", hint="correct the line that is named") from None


def parse(tables: Mapping[str, Any], *, env: Mapping[str, str], flags: Mapping[str, Any]) -> Config:
    """Build the settings from parsed TOML, environment and flags.

    Raises:
        ConfigError: an unknown table or key, or a value of the wrong type.
    """
    merged: dict[str, dict[str, Any]] = {}
    origins: dict[tuple[str, str], str] = {}
    known = _tables()
    for room, table in tables.items():
        _check_room(room, known)
        if not isinstance(table, Mapping):
            raise ConfigError(f"{FILE_NAME}: `{room}` stands outside a table", hint=f"write it under [{room}]")
        for key, value in table.items():
            _check_key(room, key, known, where=f"{FILE_NAME} [{room}]")
            merged.setdefault(room, {})[key] = value
    for name, text in env.items():
        if not name.startswith("PALIO_") or name in SECRETS or _is_of_kubernetes(name, text):
            continue
        room, _, key = name[len("PALIO_") :].lower().partition("_")
        if room not in known:
            continue  # other PALIO_ variables belong to the environment, not to the project
        _check_key(room, key, known, where=f"environment {name}")
        origins[room, key] = f"environment {name}"
        merged.setdefault(room, {})[key] = _from_text(text, known[room][key])
    for name, value in flags.items():
        if value is not None:
            room, _, key = name.partition(".")
            origins[room, key] = f"command line [{room}]"
            merged.setdefault(room, {})[key] = value
    _read_tables(merged, origins)
    try:
        return msgspec.convert(merged, Config)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        room, _, key = where.rstrip("`").partition(".")
        place = origins.get((room, key.partition("[")[0]), f"{FILE_NAME} [{room}]")
        raise ConfigError(
            f"{place}: `{key}`: {what[0].lower()}{what[1:]}",
            hint="see the settings in docs/reference/settings.md",
        ) from None


def _is_of_kubernetes(name: str, text: str) -> bool:
    """Tell whether Kubernetes has put a variable into the pod: of a service called `palio-serve`, for example.

    Example:
        >>> _is_of_kubernetes("PALIO_SERVE_PORT", "tcp://192.0.2.1:8080"), _is_of_kubernetes("PALIO_SERVE_PORT", "8080")
        (True, False)

    Source: kubernetes.io, Service, discovering services by environment variables.
    """
    return _ADDRESS.match(text) is not None or _SERVICE.search(name) is not None


_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://")
_SERVICE = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(?:_\w+)?$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$")
_LISTS: tuple[tuple[str, str, Any], ...] = (("serve", "rules", tuple[Rule, ...]), ("value", "kpis", tuple[Kpi, ...]))


def _read_tables(merged: dict[str, dict[str, Any]], origins: Mapping[tuple[str, str], str]) -> None:
    """Read the settings that are lists of tables, so that a wrong key in one is named."""
    for room, key, kind in _LISTS:
        given = merged.get(room, {}).get(key)
        if given is None:
            continue
        where = origins.get((room, key), f"{FILE_NAME} [[{room}.{key}]]")
        try:
            merged[room][key] = read_record(kind, given, where=where)
        except InputError as error:
            raise ConfigError(error.message, hint=error.hint) from None


def _tables() -> dict[str, dict[str, Any]]:
    return {room: typing.get_type_hints(type(getattr(Config(), room))) for room in Config.__struct_fields__}


def _check_room(room: str, known: Mapping[str, Any]) -> None:
    if room not in known:
        raise ConfigError(f"{FILE_NAME}: unknown table [{room}]", hint=did_you_mean(room, known))


def _check_key(room: str, key: str, known: Mapping[str, Mapping[str, Any]], *, where: str) -> None:
    if key not in known[room]:
        raise ConfigError(f"{where}: unknown key `{key}`", hint=did_you_mean(key, known[room]))


def _from_text(text: str, kind: Any) -> Any:
    if kind is int or kind is float:
        try:
            return kind(text)
        except ValueError:
            return text  # msgspec will name the type that is wanted
    if typing.get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
