"""Serve any ONNX file: its signature is what its graph declares."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec.structs import replace

from palio.core.errors import ContractError, InputError, IntegrityError, NotFoundError, PalioError
from palio.core.ids import digest
from palio.core.records import Deployment, TensorSpec
from palio.core.serving import Plan
from palio.model import MAX_RUN_S, Graph, shapeless, with_weights, without_zipmap
from palio.serve.batch_plan import SAMPLE_ROWS, BatchPlan, plan_batching
from palio.serve.journal_origin import origin_of
from palio.serve.protocols.datatypes import DTYPES, SCALARS, Array, array_of, list_of
from palio.serve.protocols.plans import TensorPlan, refuse_unservable
from palio.serve.protocols.quick import quick_tensors
from palio.serve.protocols.replies import Writer
from palio.serve.served import Served

MAX_BYTES = 1 << 31
"""A protocol buffer cannot be larger."""


def any_onnx(
    path: Path,
    *,
    model: str = "",
    finite: bool = False,
    device: Literal["cpu", "cuda"] = "cpu",
    max_run_s: float = MAX_RUN_S,
) -> OnnxFile:
    """Serve one ONNX file for ever, under the name `model` (default: the file's stem), as version 1.

    Args:
        path: The file; operators of ONNX and ai.onnx.ml only, all weights inside or in a file beside it.
        model: Name to serve it under.
        finite: Refuse NaN and infinities in binary tensors and files, too. JSON cannot hold them.
        device: What computes.
        max_run_s: Seconds that one run of a graph with loops may take; then the answer is 504.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read.
        IntegrityError: it is no plain, self-contained ONNX model, or takes or gives what the protocol cannot carry;
            or it does not answer while it is warmed up.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path}: there is no such file", hint="name an ONNX file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", hint="name a file you may read") from None
    data = with_weights(data, path.parent, max_bytes=MAX_BYTES)
    deployment = Deployment(model=model or path.stem, version=1, bundle=digest(data))
    return OnnxFile(prepare_graph(data, deployment, finite=finite, device=device, max_run_s=max_run_s))


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A provider of one model that never changes."""

    served: Served

    def current(self) -> Plan:
        """Return the plan: this file answers."""
        return Plan(champion=self.served.deployment)

    def load(self, deployment: Deployment) -> Served:  # noqa: ARG002 - there is only one
        """Return the model, which is warm."""
        return self.served

    def refused(self, deployment: Deployment, why: str) -> None:
        """Say nothing: what cannot be served does not get this far."""


def prepare_graph(
    data: bytes,
    deployment: Deployment,
    *,
    finite: bool = False,
    device: Literal["cpu", "cuda"] = "cpu",
    max_run_s: float = MAX_RUN_S,
) -> Served:
    """Open a graph from elsewhere, and work out what requests need of it.

    Raises:
        IntegrityError: not a plain, self-contained ONNX model, or inputs and outputs that the protocol cannot carry;
            or it does not answer while it is warmed up.
    """
    try:
        plain, labels = without_zipmap(data, max_bytes=MAX_BYTES)
        graph = Graph(plain, max_bytes=MAX_BYTES, device=device, max_run_s=max_run_s)
        unknown = shapeless(plain)
    except IntegrityError as error:
        raise IntegrityError(error.message, hint=_hint(error)) from None
    why = refuse_unservable(graph.inputs, "input") or refuse_unservable(graph.outputs, "output")
    free = [spec.name for spec in graph.inputs if spec.name in unknown]
    why = why or (f"input `{free[0][:60]}` declares no shape" if free else "")
    if why or not graph.inputs or not graph.outputs:
        nothing = "it takes no input" if not graph.inputs else "it gives no output"
        raise IntegrityError(f"model: {why or nothing}", hint="export it with plain tensors whose shapes are declared")
    sample = _made_up(graph)
    batching = _warm_up(graph, sample)
    found = _outputs(graph, unknown, sample)
    plans = {spec.name: TensorPlan(spec, finite=finite) for spec in graph.inputs}
    outputs = {spec.name: spec for spec in found}
    probabilities = next((name for name in outputs if name in labels), "")
    prediction = next((name for name in outputs if name != probabilities), probabilities)
    return Served(
        deployment=deployment,
        graph=graph,
        inputs=graph.inputs,
        outputs=outputs,
        plans=plans,
        reader=GraphReader(graph.inputs, finite=finite),
        quick=quick_tensors(plans),
        writer=Writer(deployment, found, labels),
        run=graph.compute,
        latency_s=batching.row_s,
        batching=batching,
        version=str(deployment.version),
        origin=origin_of(deployment, graph.inputs, found),
        prediction=prediction,
        probabilities="" if prediction == probabilities else probabilities,
        classes=labels.get(probabilities, ()),
        others=tuple(name for name in outputs if name not in (prediction, probabilities)),
        by_row=False,
    )


def _hint(error: IntegrityError) -> str:
    """Say what helps with a graph from elsewhere: nobody can train it again here."""
    said = error.message
    if "another file" in said:
        return error.hint
    if "operator domain" in said:
        return "export it with operators of ONNX and ai.onnx.ml only; onnx.inliner takes its own functions apart"
    if "opset" in said.lower() or "IR version" in said or "No Op registered" in said:
        return "export it for an older opset, or upgrade onnxruntime"
    if "locale" in said:
        return "install the locale that its operator wants, or set the operator's attribute `locale` to C"
    return "export it again, and look whether onnx.checker takes it"


def _made_up(graph: Graph) -> dict[str, Array]:
    """Make up rows that a graph might take."""
    random = np.random.default_rng(0)
    feeds: dict[str, Array] = {}
    for spec in graph.inputs:
        shape = [1 if size < 0 else size for size in spec.shape]
        if spec.shape and spec.shape[0] < 0:
            shape[0] = SAMPLE_ROWS
        dtype = DTYPES[spec.datatype]
        coins = np.asarray(random.integers(0, 2, shape))  # a larger number may be no index of a table
        if dtype.kind == "f":
            feeds[spec.name] = np.asarray(random.normal(size=shape)).astype(dtype)
        else:
            feeds[spec.name] = (coins.astype(str) if spec.datatype == "BYTES" else coins).astype(dtype)
    return feeds


def _warm_up(graph: Graph, feeds: Mapping[str, Array]) -> BatchPlan:
    """Measure how its rows are best computed, with rows made up; one that does not take them computes in a thread."""
    with _quietly():
        try:
            with graph.on_trial():
                return plan_batching(graph.compute, graph.inputs, feeds, loops=graph.loops)
        except IntegrityError:
            raise
        except PalioError:
            return BatchPlan("pool", row_s=float("inf"), why="it does not take rows that were made up")


def _outputs(graph: Graph, unknown: Collection[str], feeds: Mapping[str, Array]) -> tuple[TensorSpec, ...]:
    """Return the outputs; of one that declares no shape, as many free sizes as it has with rows that were made up."""
    if not any(spec.name in unknown and not spec.shape for spec in graph.outputs):
        return graph.outputs
    try:
        with _quietly(), graph.on_trial():
            ranks = {name: array.ndim for name, array in graph.compute(feeds).items()}
    except PalioError:
        ranks = {}
    return tuple(
        replace(spec, shape=(-1,) * ranks.get(spec.name, 1)) if spec.name in unknown and not spec.shape else spec
        for spec in graph.outputs
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Say nothing of rows that do not fit: that made-up ones do not is no news."""
    quiet = logging.getLogger("palio.model")
    before, quiet.disabled = quiet.disabled, True
    try:
        yield
    finally:
        quiet.disabled = before


class GraphReader:
    """Reads records for a graph from elsewhere: `{input: value}`, values flat or nested, one record per row.

    A graph of one input takes `{"record": value}` and the plain value, too.

    Example:
        >>> reader = GraphReader((TensorSpec(name="x", datatype="FP32", shape=(-1, 2)),))
        >>> reader.read([[1, 2], {"x": [3, 4]}])[0]["x"].tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """

    def __init__(self, inputs: Sequence[TensorSpec], *, finite: bool = False) -> None:
        self._inputs = tuple(inputs)
        self._finite = finite
        self._names = frozenset(spec.name for spec in inputs)
        self._only = inputs[0].name if len(inputs) == 1 else ""

    def read(self, records: Sequence[Any]) -> tuple[dict[str, Array], list[list[str]]]:
        """Return the feeds; no value of such a graph is unusual.

        Raises:
            ContractError: an input is absent or unknown, or a value has the wrong type or size.
        """
        rows = [self._by_name(record, row) for row, record in enumerate(records)]
        feeds = {spec.name: _feed(spec, [row[spec.name] for row in rows]) for spec in self._inputs}
        if self._finite:
            for spec in self._inputs:
                if spec.datatype.startswith("FP") and not np.isfinite(feeds[spec.name]).all():
                    raise _breaks(spec.name, f"input `{spec.name}`: a number must be finite")
        return feeds, [[] for _ in rows]

    def _by_name(self, record: Any, row: int) -> Mapping[str, Any]:
        if not isinstance(record, Mapping):
            if not self._only:
                raise _breaks(self._inputs[0].name, f"record {row}: name the {len(self._names)} inputs of this graph")
            return {self._only: record}
        if self._only and record.keys() == {"record"} and self._only != "record":
            return {self._only: record["record"]}
        if record.keys() != self._names:
            absent = sorted(self._names - record.keys())
            what = f"input `{absent[0]}` is absent" if absent else "it names an input that this graph does not have"
            raise _breaks(absent[0] if absent else "", f"record {row}: {what}")
        return record


def _feed(spec: TensorSpec, cells: list[Any]) -> Array:
    if not spec.shape and len(cells) > 1:
        raise _breaks(spec.name, f"`{spec.name}` is a single value: send one record")
    if spec.shape and spec.shape[0] not in (-1, len(cells)):
        raise _breaks(spec.name, f"`{spec.name}` takes exactly {spec.shape[0]} records")
    values: list[Any] = []
    sizes: list[int] | None = None
    for row, cell in enumerate(cells):
        flat, here = _flat(cell, spec, row)
        if sizes is not None and here != sizes:
            raise _breaks(spec.name, f"record {row}: `{spec.name}` has another size than in the records before it")
        sizes = here
        values += flat
    try:
        values = _scalars(values, spec.datatype)
    except msgspec.ValidationError:
        raise _breaks(spec.name, f"`{spec.name}` must hold values that fit {spec.datatype}") from None
    return array_of(values, spec.datatype, [len(cells), *(sizes or [])] if spec.shape else [], spec.name)


def _scalars(values: list[Any], datatype: str) -> list[Any]:
    """Hold values to a datatype; a whole number may be written `3.0`, as in JSON Schema. Raises ValidationError."""
    kind = list_of(SCALARS[datatype])
    found: list[Any]
    try:
        found = msgspec.convert(values, kind)
    except msgspec.ValidationError:
        whole = [int(value) if type(value) is float and value.is_integer() else value for value in values]
        found = msgspec.convert(whole, kind)
    return found


def _flat(cell: Any, spec: TensorSpec, row: int) -> tuple[list[Any], list[int]]:
    """Return the values of one record's input, and their sizes without the first (the records)."""
    wanted = spec.shape[1:]
    sizes: list[int] = []
    values = [cell]
    while values and isinstance(values[0], list) and len(sizes) <= len(wanted):
        length = len(values[0])
        if not all(isinstance(one, list) and len(one) == length for one in values):
            raise _breaks(spec.name, f"record {row}: `{spec.name}` is not a full block of values")
        sizes.append(length)
        values = list(itertools.chain.from_iterable(values))
    if len(sizes) == 1 and len(wanted) > 1 and -1 not in wanted:  # flat, row-major
        n_values = 1
        for size in wanted:
            n_values *= size
        sizes = list(wanted) if len(values) == n_values else sizes
    if not sizes and wanted == (1,):
        sizes = [1]
    if len(sizes) != len(wanted) or any(w != s and (w != -1 or s == 0) for s, w in zip(sizes, wanted, strict=True)):
        raise _breaks(spec.name, f"record {row}: `{spec.name}` must have the shape {list(wanted)}")
    return values, sizes


def _breaks(name: str, why: str) -> ContractError:
    violations = [{"column": name, "rule": "type"}] if name else []
    return ContractError(why, facts={"violations": violations})
