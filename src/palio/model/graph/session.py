"""Run a graph with ONNX Runtime, and refuse one that is not plain, self-contained ONNX."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError, IntegrityError, TimeLimitError, UnavailableError
from palio.core.records import Precision, Reading, TensorSpec
from palio.model.cells.names import PREDICTION, PROBABILITIES
from palio.model.graph.boxes import Candidates, brought_back, cells_of, finds_boxes
from palio.model.graph.runtime import onnx_runtime
from palio.model.graph.watchdog import watchdog
from palio.model.graph.wire import check_wire
from palio.model.reading.readers import (
    BOX_CLASSES,
    METADATA,
    Readers,
    decode_classes,
    decode_readings,
    precision_of,
    specs_of,
)

log = logging.getLogger("palio.model")

Array = npt.NDArray[Any]
Feeds = Mapping[str, Array]
Device = Literal["cpu", "cuda"]

ROWS_AT_ONCE = 8192
"""Rows that go through the graph together: bounds memory (a forest of 200 trees and 10 classes needs 130 MB)."""
MAX_RUN_S = 30.0
"""Seconds that one run of a graph with loops may take."""
WARM_UP_S = 10.0
"""Seconds that one run of any graph may take while it is warmed up."""
_FATAL = 4
_IN_SOURCE = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : "
    r"|/onnxruntime_src/\S+ .*?\((?:[^()]|\([^()]*\))*\)(?:::<lambda\(\)>)?(?: const)? "
)
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_DATATYPES = {
    "tensor(double)": "FP64",
    "tensor(float)": "FP32",
    "tensor(float16)": "FP16",
    "tensor(string)": "BYTES",
    "tensor(bool)": "BOOL",
    **{f"tensor({sign}int{bits})": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model answers: one entry per row."""

    prediction: Array
    """Shape (n,): class labels (strings), float64 values, or cells of boxes in the pixels of each picture (strings)."""
    probabilities: Array | None = None
    """Shape (n, n_classes), in the order of `task.classes`; None for regression and for boxes."""
    are_boxes: bool = False
    """Whether the predictions are cells of boxes."""
    candidates: tuple[Candidates, ...] = ()
    """Of a library that finds boxes: what it chose from, for each row."""


class Graph:
    """A model that answers: bytes of an ONNX file in, predictions out. Safe to use from several threads.

    Args:
        model: The ONNX file. It may hold operators of ONNX and ai.onnx.ml only, and all its weights.
        threads: Threads inside one call. One (no spinning) suits a server; training may take more.
        max_bytes: Refuse a larger file.
        device: What computes; `cuda` needs ONNX Runtime's build for it.
        max_run_s: Seconds that one run may take if the graph loops; other graphs end by themselves.

    Raises:
        IntegrityError: not an ONNX model, external data, custom operators, or too large.
        UnavailableError: the device is not there.
    """

    def __init__(
        self,
        model: bytes,
        threads: int = 1,
        *,
        max_bytes: int = 1 << 30,
        device: Device = "cpu",
        max_run_s: float = MAX_RUN_S,
    ) -> None:
        ort = onnx_runtime()
        self.loops = check_wire(model, max_bytes=max_bytes)
        self.max_run_s = max_run_s
        self._limit_s = max_run_s if self.loops else 0.0
        self._new_options = ort.RunOptions
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = _FATAL  # errors are raised, and told once
        if self.loops:  # optimizing may leave nothing in a loop, and then nothing ends it
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        providers = _providers(device, ort)
        try:
            self._session = ort.InferenceSession(model, options, providers=providers)
        except Exception as error:  # noqa: BLE001 - the runtime raises classes of its own for any broken model
            raise IntegrityError(
                f"model: ONNX Runtime refuses it: {_first_line(error)}",
                hint="restore the file from the store, or train again",
            ) from None
        if device == "cuda" and self._session.get_providers()[0] != _CUDA:  # the runtime falls back without a word
            raise UnavailableError(
                "device `cuda`: ONNX Runtime cannot use the GPU", hint="check the driver and the CUDA libraries"
            )
        # The runtime's own wrapper looks up each input in a list of all: with 2,000, ten times the work of the run.
        inner = getattr(self._session, "_sess", self._session) if device == "cpu" else self._session
        self._run = inner.run
        taken = tuple(_spec(value) for value in self._session.get_inputs())
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._readers = _readers(metadata.get(METADATA, ""), taken)
        self.precision: Precision = precision_of(metadata)
        """What it computes in: says how close its answers are to those of its library."""
        self.inputs: tuple[TensorSpec, ...] = taken if self._readers is None else _seen(taken, self._readers)
        self._kept = frozenset(spec.name for spec in taken)
        self.outputs: tuple[TensorSpec, ...] = tuple(_spec(value) for value in self._session.get_outputs())
        self.readings: tuple[Reading, ...] = () if self._readers is None else self._readers.readings
        self.size_bytes = len(model)
        self._input_names = frozenset(spec.name for spec in self.inputs)
        self._output_names = [spec.name for spec in self.outputs]
        self.classes: tuple[str, ...] = decode_classes(metadata.get(BOX_CLASSES, ""))
        """Names of what it finds in pictures; empty if it answers anything else."""
        self.finds_boxes = bool(self.classes) and self._readers is not None and finds_boxes(self._output_names)
        """Whether it says what is where in pictures: one output, a cell of boxes by name, in its own pixels."""
        if self.finds_boxes:
            self.outputs = (TensorSpec(name=PREDICTION, datatype="BYTES", shape=(-1,)),)

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Compute all outputs at once, as the runtime gives them (any graph, any shape).

        Raises:
            InputError: an input is missing, unknown, or of the wrong type or shape.
        """
        if feeds.keys() != self._input_names:
            raise InputError(
                f"feeds: got {_some(feeds)}, the graph takes {_some(self._input_names)}",
                hint="feed each input of the graph once",
            )
        return self.compute(feeds)

    def compute(self, feeds: Feeds) -> dict[str, Array]:
        """Do the same for feeds whose names are known to be right: the shortest way through the runtime.

        Texts and pictures that the graph takes as numbers are read first. Boxes are brought back into the pixels of
        each picture as it is shown, and told by name; of pixels that are sent as the graph takes them, they stay in
        these.

        Raises:
            InputError: the graph cannot take them. What the runtime says of it stays in the log: it may quote values.
            TimeLimitError: it loops for longer than `max_run_s`.
        """
        if self._readers is None:
            return self._computed(feeds)
        chunks = self._readers.chunks(feeds, self._kept, are_placed=self.finds_boxes)
        parts = [self._placed(self._computed(part), places) for part, places in chunks]
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _placed(self, outputs: dict[str, Array], places: Array | None) -> dict[str, Array]:
        return outputs if places is None else {PREDICTION: cells_of(brought_back(outputs, places), self.classes)}

    def _computed(self, feeds: Feeds) -> dict[str, Array]:
        try:
            values = self._watched(feeds) if self._limit_s else self._run(self._output_names, feeds, None)
        except TimeLimitError:
            raise
        except Exception as error:  # noqa: BLE001 - the runtime raises classes of its own
            log.warning("the graph refused its feeds: %s", _first_line(error))
            raise InputError(
                "feeds: the graph cannot take them", hint="match the datatypes and shapes of the graph's inputs"
            ) from None
        return dict(zip(self._output_names, values, strict=False))

    def _watched(self, feeds: Feeds) -> Any:
        limit_s = self._limit_s
        options = self._new_options()
        options.log_severity_level = _FATAL
        number = watchdog.begin(options, limit_s)
        try:
            return self._run(self._output_names, feeds, options)
        except Exception:
            if not options.terminate:
                raise
            raise TimeLimitError(
                f"the model did not answer within {limit_s:g} s", hint="ask it for less at once"
            ) from None
        finally:
            watchdog.end(number)

    @contextmanager
    def on_trial(self) -> Iterator[None]:
        """Hold every run to `WARM_UP_S`, of graphs without loops, too. Nobody else may use the graph meanwhile.

        Raises:
            IntegrityError: a run took longer.
        """
        before = self._limit_s
        self._limit_s = min(WARM_UP_S, self.max_run_s)
        try:
            yield
        except TimeLimitError as error:
            raise IntegrityError(
                f"model: it is too slow to serve: while it was warmed up, {error.message}",
                hint="look for a loop in it that does not end, or make it smaller",
            ) from None
        finally:
            self._limit_s = before

    def read(self, feeds: Feeds) -> Iterator[dict[str, Array]]:
        """Yield what the session takes for some rows after the other, texts and pictures being read."""
        if self._readers is None:
            yield dict(feeds)
            return
        for part, _ in self._readers.chunks(feeds, self._kept):
            yield part

    def compute_rows(self, feeds: Feeds) -> dict[str, Array]:
        """Compute all outputs of a graph that answers row by row. Memory is bounded for any number of rows."""
        order = None if self._readers is None else self._readers.order(feeds)
        if order is not None:
            found = self._in_parts({name: value[order] for name, value in feeds.items()})
            back = np.argsort(order, kind="stable")
            return {name: value[back] for name, value in found.items()}
        return self._in_parts(feeds)

    def _in_parts(self, feeds: Feeds) -> dict[str, Array]:
        n_rows = len(next(iter(feeds.values()))) if feeds else 0
        if n_rows <= ROWS_AT_ONCE:
            return self.compute(feeds)
        parts = [
            self.compute({name: value[start : start + ROWS_AT_ONCE] for name, value in feeds.items()})
            for start in range(0, n_rows, ROWS_AT_ONCE)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def predict(self, feeds: Feeds) -> Outputs:
        """Predict the rows of `feeds`: one array of shape (n, 1) per input. Memory is bounded for any n.

        Raises:
            InputError: the feeds do not fit the graph, or it has no output called `prediction`.
        """
        if PREDICTION not in self._output_names and not self.finds_boxes:
            raise InputError(
                f"graph: has outputs {_some(self._output_names)}, no `{PREDICTION}`", hint="use run for such a graph"
            )
        if feeds.keys() != self._input_names:
            self.run(feeds)  # says what is wrong
        outputs = self.compute_rows(feeds)
        return Outputs(outputs[PREDICTION], outputs.get(PROBABILITIES), are_boxes=self.finds_boxes)


def _providers(device: str, runtime: Any) -> list[str]:
    if device == "cpu":
        return [_CPU]
    if _CUDA not in runtime.get_available_providers():
        raise UnavailableError(
            "device `cuda`: this ONNX Runtime was built without CUDA",
            hint="install onnxruntime-gpu in place of onnxruntime, or use the device cpu",
        )
    return [_CUDA, _CPU]


def _spec(value: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return TensorSpec(name=value.name, datatype=_DATATYPES.get(value.type, value.type), shape=shape)


def _readers(metadata: str, taken: tuple[TensorSpec, ...]) -> Readers | None:
    """Return what reads texts and pictures for the graph; None if it takes none."""
    readings = decode_readings(metadata) if metadata else ()
    if not readings:
        return None
    held = {spec.name: spec for spec in taken}
    for reading in readings:
        own = held.get(reading.input)
        is_other = own is not None and (own.datatype, len(own.shape)) != ("BYTES", 2)
        if is_other or not all(_fits(spec, held.get(spec.name)) for spec in specs_of(reading)):
            raise IntegrityError(
                "model: its readings do not fit its inputs",
                hint="restore the file from the store, or train again",
            )
    return Readers(readings)


def _fits(wanted: TensorSpec, held: TensorSpec | None) -> bool:
    """Tell whether an input takes what a reading gives: the type and number of dimensions, and sizes that are fixed."""
    if held is None or held.datatype != wanted.datatype or len(held.shape) != len(wanted.shape):
        return False
    return all(size < 0 or size == other for size, other in zip(held.shape, wanted.shape, strict=True))


def _seen(taken: tuple[TensorSpec, ...], readers: Readers) -> tuple[TensorSpec, ...]:
    """Return the inputs as everybody sees them: a text or picture is one cell a row, however the graph takes it."""
    found: dict[str, TensorSpec] = {}
    for spec in taken:
        column = readers.column_of.get(spec.name)
        if column is None:
            found.setdefault(spec.name, spec)
        else:
            found.setdefault(column, TensorSpec(name=column, datatype="BYTES", shape=(-1, 1)))
    return tuple(found.values())


def _some(names: Any) -> str:
    listed = sorted(names)
    return ", ".join(f"`{name}`" for name in listed[:8]) + (" …" if len(listed) > 8 else "")


def _first_line(error: Exception) -> str:
    """Return what the runtime says, without the places in its source where it says it."""
    lines = str(error).strip().splitlines()
    text = _IN_SOURCE.sub("", lines[0]).strip() if lines else ""
    return (text or type(error).__name__)[:300]
