"""The steps of the life cycle: each takes the records that it needs, and skips itself if they are unchanged.

A step is named by the digest of its inputs. What it made is looked up under that name, so a rerun after a crash goes on
where the first run stopped, and an unchanged rerun does nothing twice: no second search, no second look at the test.
Only `ingest` turns to the source; who composes steps begins with it, once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from palio import data, measure, model, report, serve
from palio import evaluate as judging
from palio import promote as promoting
from palio import split as splitting
from palio import train as training
from palio.core.config import Config
from palio.core.errors import NotFoundError
from palio.core.ids import digest_of, short
from palio.core.records import Cost, Decision, Gate, Parity, Parts, Promotion, Search, Snapshot, Task
from palio.core.words import counted
from palio.flow import appending, reading
from palio.flow.opened import Opened
from palio.flow.sources import locate

if TYPE_CHECKING:
    from palio.evaluate import Assessment

_MEANWHILE: tuple[Callable[[], object], ...] = (
    lambda: judging.assess,
    lambda: serve.create_app,
    lambda: serve.run,
    lambda: report.load(),
)
"""What follows the search of a whole run is loaded while its workers learn."""


def ingest(opened: Opened) -> Snapshot:
    """Read the source into a snapshot; rows that were appended to it later are part of it, under any contract."""
    return reading.read(opened).snapshot


def append(opened: Opened, file: Path) -> Snapshot:
    """Read the source, and add the rows of `file` as the next version; a file that is in it already adds nothing.

    Raises:
        ContractError: the new rows break the schema.
    """
    before = reading.read(opened)
    return appending.add(opened, before.snapshot, file, base=before.fingerprint)


def task_of(opened: Opened, snapshot: Snapshot) -> Task:
    """Return what is to be predicted: from the settings, and from the data where they say `auto`."""
    config = opened.config
    task = data.infer_task(
        opened.store,
        snapshot,
        kind=config.project.task,
        positive=config.data.positive,
        metric=config.train.metric,
    )
    return msgspec.structs.replace(task, metric=measure.default_metric(task)) if task.metric == "auto" else task


def split(opened: Opened, snapshot: Snapshot) -> Parts:
    """Cut a snapshot; rows that were cut before keep their part, or move on with time."""
    table = opened.config.split
    earlier = [
        parts
        for parts in opened.store.records.all(Parts, newest_first=True)
        if parts.snapshot != snapshot.id and parts.seed == table.seed and parts.first_row is None
    ]
    inputs = {"snapshot": snapshot.id, "split": table, "task": task_of(opened, snapshot)}

    def make() -> Parts:
        return splitting.cut(
            opened.store,
            snapshot,
            task=task_of(opened, snapshot),
            policy=table.policy,
            method=table.method,
            by=table.by,
            seed=table.seed,
            looks=table.looks,
            previous=earlier[0] if earlier else None,
            progress=opened.progress,
        )

    return opened.once("split", inputs, Parts, make)


def train(opened: Opened, parts: Parts) -> Search:
    """Search for the best candidate within the budget, and let it be the candidate of this cut from now on."""
    search, inputs = search_on(opened, parts)
    key = _candidate_key(inputs)
    if opened.store.steps.get("candidate", key) != search.id:
        opened.store.steps.put("candidate", key, search.id)
    return search


def search_on(opened: Opened, parts: Parts) -> tuple[Search, dict[str, Any]]:
    """Search on one cut; return what was found, and the inputs that it is known by."""
    snapshot = opened.store.records.require(Snapshot, parts.snapshot)
    task = task_of(opened, snapshot)
    table, limits = opened.config.train, opened.config.limits
    inputs = _search_inputs(opened, parts, task)

    def make() -> Search:
        search = training.search(
            opened.store,
            snapshot,
            parts,
            task=task,
            budget_s=table.budget_s,
            ends=opened.ends,
            after_s=opened.after_s,
            rows_after=judging.rows_asked(parts, is_pictures=snapshot.schema.modality == "image")
            if opened.ends is not None
            else 0,
            prefer=table.prefer,
            trials=table.trials,
            how=_how(opened.config, opened.folder),
            engine=table.engine,
            seed=table.seed,
            families=table.families,
            latency_ms_p99=limits.latency_ms_p99,
            size_mb=limits.size_mb,
            meanwhile=() if opened.ends is None else _MEANWHILE,
            progress=opened.progress,
        )
        n_tried = sum(not run.members for run in search.runs)
        opened.store.ledger.append_once(
            "train.search",
            search.id,
            f"Tried {counted(n_tried, 'candidate')} and chose {_chosen_family(search)}: {search.reasons[0]}",
            payload={"bundle": search.bundle, "parts": parts.id, "stopped_by": search.stopped_by},
        )
        return search

    return opened.once("train", inputs, Search, make), inputs


def _how(config: Config, folder: Path) -> training.How:
    """Say from the settings how candidates learn."""
    table, value = config.train, config.value
    return training.How(
        objective=table.objective,
        weight=config.data.weight,
        balanced=table.imbalance == "balanced",
        threshold=table.threshold,
        costs=training.Costs(value.miss_cost, value.false_alarm_cost),
        backbone=table.backbone,
        imported=locate(folder, table.imported) if table.imported else "",
        decode=table.imported_decode,
        knows=table.imported_classes,
    )


def candidate(opened: Opened, parts: Parts) -> Search:
    """Return the newest search on a cut under these settings, whatever its budget was; search if there is none.

    So `palio run --budget 60` and a `palio promote` after it speak of the same candidate.
    """
    task = task_of(opened, opened.store.records.require(Snapshot, parts.snapshot))
    known = opened.store.steps.get("candidate", _candidate_key(_search_inputs(opened, parts, task)))
    if known is None:
        return train(opened, parts)
    opened.skip("train")
    return opened.store.records.require(Search, known)


def _search_inputs(opened: Opened, parts: Parts, task: Task) -> dict[str, Any]:
    config = opened.config
    return {
        "parts": parts.id,
        "task": task,
        "train": config.train,
        "limits": config.limits,
        "how": _how(config, opened.folder).by_content(),
        "versions": model.versions(),
    }


def _candidate_key(inputs: dict[str, Any]) -> str:
    """Name the inputs of a search without its budget."""
    return digest_of({**inputs, "train": msgspec.structs.replace(inputs["train"], budget_s=0.0)})


def assess(
    opened: Opened,
    search: Search,
    *,
    champion: Promotion | None,
    why: str = "gate",
    newest_from: int | None = None,
) -> Assessment:
    """Score a candidate, and the champion on the same rows: one look at the sealed test of the cut that made it.

    With `newest_from` the two are also compared on the test rows from this row of the snapshot on.
    """
    parts = opened.store.records.require(Parts, search.parts)
    snapshot = opened.store.records.require(Snapshot, parts.snapshot)
    rival = champion.bundle if champion is not None and champion.bundle != search.bundle else None
    inputs = {"bundle": search.bundle, "champion": rival, "parts": parts.id}
    if newest_from is not None:
        inputs["newest_from"] = str(newest_from)

    def make() -> Assessment:
        return judging.assess(
            opened.store,
            snapshot,
            parts,
            challenger=model.load(opened.store, search.bundle),
            champion=model.load(opened.store, rival) if rival else None,
            newest_from=newest_from,
            why=why,
            budget_s=judging.evaluation_budget(opened.config.train.budget_s)
            if opened.evaluation_s is None
            else opened.evaluation_s,
            progress=opened.progress,
        )

    return opened.once("evaluate", inputs, judging.Assessment, make)


def replay(opened: Opened, bundle: str) -> Parity:
    """Send the golden rows of a bundle through a real server and compare the answers."""

    def make() -> Parity:
        return serve.replay(model.load(opened.store, bundle))

    return opened.once("replay", {"bundle": bundle, "versions": model.versions()}, Parity, make)


def promote(opened: Opened, search: Search, *, release: bool = True) -> Decision:
    """Let the gate decide on a candidate, and put it live if it says yes.

    Without `release` a `yes` is only written down, for a rollout to carry out.

    A candidate that already is the champion is not judged again: its own decision is returned.
    """
    champion = opened.champion
    if champion is not None and champion.bundle == search.bundle and champion.decision is not None:
        opened.skip("promote")
        opened.progress.say(f"version {champion.version} already is this very bundle: nothing to decide")
        return opened.store.records.require(Decision, champion.decision)
    assessment = assess(opened, search, champion=champion)
    decision = decide(opened, search, assessment, champion=champion)
    if release:
        version = champion.version if champion is not None else None
        promoting.release(opened.store, decision, model=opened.name, expected=version)
    else:
        promoting.record(opened.store, decision, model=opened.name)
    return decision


def decide(
    opened: Opened,
    search: Search,
    assessment: Assessment,
    *,
    champion: Promotion | None,
    may_lose_earlier: bool = False,
    by_person: bool = False,
) -> Decision:
    """Let the gate decide on what an assessment showed, and write nothing down.

    Args:
        opened: Whose settings.
        search: That made the candidate.
        assessment: Of it.
        champion: That it was assessed against.
        may_lose_earlier: See `promote.decide`.
        by_person: A person must approve, whatever the settings say.
    """
    gate, value = _gate(opened, search.bundle), opened.config.value
    return promoting.decide(
        assessment.evaluation,
        champion=champion.bundle if champion is not None else None,
        champion_evaluation=assessment.champion_evaluation,
        comparison=assessment.comparison,
        newest=assessment.newest,
        newest_evaluation=assessment.newest_evaluation,
        earlier=assessment.earlier,
        may_lose_earlier=may_lose_earlier,
        gate=msgspec.structs.replace(gate, approval="human") if by_person else gate,
        parity=replay(opened, search.bundle),
        cost=_cost(search),
        error_cost=value.error_cost,
        requests_per_day=value.requests_per_day,
        currency=value.currency,
    )


def _gate(opened: Opened, bundle: str) -> Gate:
    config = opened.config
    was_live = any(line.bundle == bundle for line in opened.store.promotions.history(opened.name))
    return Gate(
        non_inferiority=config.gate.non_inferiority,
        # What a person rolled back does not come back by itself.
        approval="human" if was_live else config.gate.approval,
        max_latency_ms_p99=config.limits.latency_ms_p99,
        max_size_mb=config.limits.size_mb,
        allow_worse_slices=config.gate.worse_slices == "allow",
        parity_tolerance=max(
            Gate().parity_tolerance, model.TOLERANCES[model.load(opened.store, bundle).graph.precision]
        ),
    )


def _chosen_family(search: Search) -> str:
    return next(run.family for run in search.runs if run.id == search.chosen or run.chosen)


def _cost(search: Search) -> Cost:
    for run in search.runs:
        if run.chosen and run.cost is not None:
            return run.cost
    raise NotFoundError(f"search {short(search.id)} has no measured cost", hint="run palio train again")
