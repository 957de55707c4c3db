"""Check a model, warm it up, and work out in advance all that requests need of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol

from palio import model as models
from palio.core.errors import InputError, IntegrityError
from palio.core.records import Deployment, Manifest, TensorSpec
from palio.serve.batch_plan import BatchPlan, plan_batching
from palio.serve.journal_origin import Origin, origin_of
from palio.serve.pictures import Sight
from palio.serve.protocols.absent import Expected
from palio.serve.protocols.datatypes import Array
from palio.serve.protocols.picture_plan import PicturePlan
from palio.serve.protocols.plans import ColumnPlan, InputPlan
from palio.serve.protocols.quick import Quick, quick_record, quick_row
from palio.serve.protocols.replies import Writer
from palio.serve.protocols.wire import WireError
from palio.serve.saying import Saying, saying_of
from palio.serve.tally import Tally

if TYPE_CHECKING:
    from palio.model import Bundle, Explainer, Golden, Graph

_SEEN_ROWS = 4
"""Golden rows whose pictures are seen to plan how rows are computed."""
GOLDEN_TOLERANCE = 1e-6
"""How far the numbers of the golden rows may be from those in the bundle: another processor adds up differently."""


class Reader(Protocol):
    """Turns the records of `POST /predict` into feeds."""

    def read(self, records: Sequence[Any]) -> tuple[dict[str, Array], list[list[str]]]:
        """Return the feeds, and per record what is unusual about it. Raises ContractError."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A model that is loaded, checked and warm, with everything that can be worked out before the first request.

    Bundles and graphs from elsewhere look the same from here: whoever answers a request follows the plans, feeds
    `run`, and writes with `writer`.
    """

    deployment: Deployment
    graph: Graph
    inputs: tuple[TensorSpec, ...]
    outputs: Mapping[str, TensorSpec]
    """By name, in the order in which they are answered."""
    plans: Mapping[str, InputPlan]
    reader: Reader
    quick: Quick | None
    """Reads the common form of a request faster; see `protocols.quick`."""
    writer: Writer
    run: Callable[[Mapping[str, Array]], dict[str, Array]]
    """Feeds to outputs, every output by name. Raises InputError: the graph cannot take them; WireError 500: it should
    have taken them, as they keep the bundle's schema."""
    latency_s: float
    """Shortest time of one warm row through the graph, and of seeing its pictures; infinite if not measured."""
    version: str
    batching: BatchPlan
    """How its rows are computed: at once, in a thread, or together with those of other requests."""
    origin: Origin
    """Names the columns of the prediction log."""
    manifest: Manifest | None = None
    """What the bundle says of itself; None for a graph from elsewhere."""
    bundle: Bundle | None = None
    prediction: str = "prediction"
    """Output that is the `prediction` of a row."""
    probabilities: str = ""
    """Output that holds one column per class; empty if there is none."""
    classes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Outputs beside these two."""
    by_row: bool = True
    """Whether all inputs share their first size, the number of rows."""
    quick_record: Callable[[Any], dict[str, Array] | None] | None = None
    """Reads one record in which nothing is unusual; None where it is not sure."""
    explainer: Callable[[], Explainer] | None = None
    """Makes, once, what tells how an answer came about; None for a graph from elsewhere, and one of pictures."""
    sight: Sight | None = None
    """Sees the pictures of its requests, beside the event loop, before rows are put together; None: there are none."""
    saying: Saying | None = None
    """Leaves out of an answer what the model is not sure enough of; None: answers are told as they are."""
    expected: Expected | None = None
    """The columns of its rows; None for a graph from elsewhere, which takes no row without one of its inputs."""
    tally: Tally = field(default_factory=Tally)


def prepare(bundle: Bundle, deployment: Deployment) -> Served:
    """Check a bundle beside the one that serves, and warm it up.

    Raises:
        IntegrityError: it is not the bundle that was promoted, or no longer answers its golden rows as it did, or takes
            too long for them.
    """
    if bundle.id != deployment.bundle:
        raise IntegrityError("the bundle is not the one that the ledger names", hint="run palio model verify")
    manifest = bundle.manifest
    features = list(zip(manifest.inputs, manifest.schema.features, strict=True))
    plans = [ColumnPlan(spec, column) for spec, column in features if column.type != "image"]
    sight = (
        Sight(bundle.graph.readings, manifest, is_placed=bundle.graph.finds_boxes)
        if len(plans) < len(features)
        else None
    )
    pictures = {} if sight is None else {name: PicturePlan(name, sight) for name in sight.inputs}
    outputs = {spec.name: spec for spec in manifest.outputs}
    batching, seen_s = _warm_up(bundle, sight)
    probabilities = "probabilities" if "probabilities" in outputs else ""
    classes = manifest.task.classes
    return Served(
        deployment=deployment,
        graph=bundle.graph,
        inputs=manifest.inputs,
        outputs=outputs,
        plans={**{plan.name: plan for plan in plans}, **pictures},
        reader=models.RecordReader(manifest.schema),
        quick=None if sight else quick_row(plans),
        quick_record=None if sight else quick_record(plans),
        writer=Writer(deployment, manifest.outputs, {probabilities: classes}),
        run=_computing(bundle.graph.compute_rows),
        latency_s=batching.row_s + seen_s,
        batching=batching,
        version=str(deployment.version),
        origin=origin_of(deployment, manifest.inputs, manifest.outputs, manifest=manifest),
        manifest=manifest,
        bundle=bundle,
        probabilities=probabilities,
        classes=classes,
        explainer=None if sight else cache(partial(_explainer, bundle)),
        sight=sight,
        saying=saying_of(manifest.task, "prediction"),
        expected=Expected(manifest.schema),
    )


def _computing(compute_rows: Callable[[Mapping[str, Array]], dict[str, Array]]) -> Callable[..., dict[str, Array]]:
    """Blame the model for what it cannot compute: its rows have been held to its own schema."""

    def run(feeds: Mapping[str, Array]) -> dict[str, Array]:
        try:
            return compute_rows(feeds)
        except InputError:  # the graph's words for it; they are in the log
            raise WireError(500, "the model failed on these rows") from None

    return run


def _explainer(bundle: Bundle) -> Explainer:
    task, schema = bundle.manifest.task, bundle.manifest.schema
    return models.explainer(bundle.graph, schema, bundle.shapes(), classes=task.classes, target=task.target)


def _warm_up(bundle: Bundle, sight: Sight | None) -> tuple[BatchPlan, float]:
    """Let the graph answer its golden rows, compare, and measure how its rows are best computed.

    Returns:
        The plan, which is about pixels; and how many seconds it takes to see the pictures of a row before that.
    """
    golden, graph = bundle.golden(), bundle.graph
    with graph.on_trial():
        return _try_out(graph, bundle.manifest.inputs, golden, sight)


def _try_out(
    graph: Graph, inputs: Sequence[TensorSpec], golden: Golden, sight: Sight | None
) -> tuple[BatchPlan, float]:
    parity = models.check_parity(
        graph, golden.feeds, golden.outputs, tolerance=max(GOLDEN_TOLERANCE, models.TOLERANCES[graph.precision])
    )
    if not parity.passed:
        raise IntegrityError(
            f"it answers its golden rows differently here: {parity.n_label_diffs} labels, "
            f"numbers by up to {parity.max_abs_diff:.2g}",
            hint="run palio model verify",
        )
    if sight is None:
        return plan_batching(graph.compute_rows, inputs, golden.feeds, loops=graph.loops), 0.0
    some = {name: values[:_SEEN_ROWS] for name, values in golden.feeds.items()}
    begin = time.perf_counter()
    seen = sight(some) or some
    seen_s = (time.perf_counter() - begin) / len(next(iter(some.values())))
    return plan_batching(graph.compute_rows, inputs, seen, loops=graph.loops), seen_s
