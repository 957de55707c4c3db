"""Name what answers, and how its inputs and outputs are logged: worked out once for each model that is served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from palio.core.cells import PICTURE_STATISTICS
from palio.core.records import Deployment, Manifest, TensorSpec
from palio.measure import questions

LARGEST_CELL = 4096
"""A tensor with more values per row than this, or with a free size, is logged as a hash: an image in the log of every
answer costs more than the answer."""
PICTURE = "picture"
"""Kind of a tensor that holds pictures."""
_KINDS = {
    "FP64": "float64",
    "FP32": "float32",
    "FP16": "float16",
    "BOOL": "bool",
    "BYTES": "text",
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """How a tensor is logged."""

    name: str
    """In the feeds or outputs."""
    columns: tuple[str, ...]
    """One column; or one for each of its `width` values. Of a picture: that of its digest, those of its statistics."""
    kind: str
    width: int = 1
    """Values per row; 0 if it is too large to be logged, or free, or does not come row by row."""
    is_single: bool = False
    """Whether it is one value for all rows of a request."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What answers, and how its inputs and outputs are logged; worked out once for each model that is served."""

    model: str
    version: str
    bundle: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    by_row: bool = True
    """Whether it answers row by row; a graph from elsewhere may do as it likes."""

    @property
    def has_pictures(self) -> bool:
        """Whether pictures are among its inputs."""
        return any(tensor.kind == PICTURE for tensor in self.inputs)


def origin_of(
    deployment: Deployment,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    *,
    manifest: Manifest | None = None,
) -> Origin:
    """Name the columns of the log for a model.

    Args:
        deployment: What is served.
        inputs: Of its graph.
        outputs: Of its graph.
        manifest: Names the columns behind the inputs, and the classes; None for a graph that was made elsewhere.
    """
    columns = [c.name for c in manifest.schema.features] if manifest else [spec.name for spec in inputs]
    pictures = {c.name for c in manifest.schema.features if c.type == "image"} if manifest else set()
    classes = manifest.task.classes if manifest else ()
    named = []
    rows = -1 if manifest else next((spec.shape[0] for spec in inputs if spec.shape), -1)
    for spec in outputs:
        tensor = _tensor(spec, spec.name if manifest else f"output.{spec.name}", rows=rows)
        if manifest and spec.name == "probabilities" and tensor.width == len(classes) > 0:
            tensor = Tensor(spec.name, questions.probability_names(classes), tensor.kind, tensor.width)
        named.append(tensor)
    return Origin(
        model=deployment.model,
        version=str(deployment.version),
        bundle=deployment.bundle,
        inputs=tuple(
            _picture(spec, f"input.{name}", columns) if name in pictures else _tensor(spec, f"input.{name}", rows=rows)
            for spec, name in zip(inputs, columns, strict=True)
        ),
        outputs=tuple(named),
        by_row=manifest is not None,
    )


def _tensor(spec: TensorSpec, column: str, *, rows: int) -> Tensor:
    """Say how a tensor is logged; `rows` is the first size of what is asked for, -1 for any."""
    width = 1 if not spec.shape or spec.shape[0] == rows else 0
    for size in spec.shape[1:]:
        width *= max(size, 0)
    kind = _KINDS[spec.datatype]
    return Tensor(spec.name, (column,), kind, width if width <= LARGEST_CELL else 0, is_single=not spec.shape)


def _picture(spec: TensorSpec, column: str, taken: Sequence[str]) -> Tensor:
    """Name the columns of a picture; a statistic that is an input of the model by itself is not named twice."""
    found = (f"{column}.{name}" for name in PICTURE_STATISTICS)
    return Tensor(spec.name, (column, *(name for name in found if bare(name) not in taken)), PICTURE)


def bare(column: str) -> str:
    """Return the name of an input as the model knows it."""
    return column.removeprefix("input.")
