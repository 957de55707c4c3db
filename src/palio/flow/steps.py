"""The steps of the life cycle: each first asks for what comes before it, and skips itself if its inputs are unchanged.

A step is named by the digest of its inputs. What it made is looked up under that name, so a rerun after a crash goes on
where the first run stopped, and an unchanged rerun does nothing twice: no second search, no second look at the test.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from palio import data, measure, model, serve
from palio import evaluate as judging
from palio import promote as promoting
from palio import split as splitting
from palio import train as training
from palio.core.errors import ConfigError, NotFoundError
from palio.core.ids import digest_of, short
from palio.core.records import Cost, Decision, Gate, Parity, Parts, Record, Search, Snapshot, Task
from palio.flow import appending, sources

if TYPE_CHECKING:
    from palio.evaluate import Assessment
    from palio.flow.project import Project

PARITY_TOLERANCE = 1e-9
"""Graph and server run the same arithmetic; only the decimal text of the wire stands between them."""

T = TypeVar("T", bound=Record)


def ingest(project: Project) -> Snapshot:
    """Read the source into a snapshot; rows that were appended to it later are part of it, under any contract."""
    source = sources.of(project)
    inputs = {"source": source.fingerprint, "data": project.config.data, "contract": sources.contract_digest(project)}

    def make() -> Snapshot:
        return data.ingest(
            source,
            store=project.store,
            schema=sources.contract(project),
            target=project.config.data.target,
            on_violation=project.config.data.on_violation,
            id_is_declared=bool(project.config.data.id),
            progress=project.progress,
        )

    return appending.replay(project, _once(project, "ingest", inputs, Snapshot, make), source)


def append(project: Project, file: Path) -> Snapshot:
    """Add the rows of `file` to the newest snapshot, as its next version; a file that is in it already adds nothing.

    Raises:
        ContractError: the new rows break the schema.
    """
    return appending.add(project, ingest(project), file)


def task_of(project: Project, snapshot: Snapshot) -> Task:
    """Return what is to be predicted: from the settings, and from the data where they say `auto`."""
    config = project.config
    task = data.infer_task(
        project.store,
        snapshot,
        kind=config.project.task,
        positive=config.data.positive,
        metric=config.train.metric,
    )
    return msgspec.structs.replace(task, metric=measure.default_metric(task)) if task.metric == "auto" else task


def split(project: Project) -> Parts:
    """Cut the newest snapshot; rows that were cut before keep their part, or move on with time."""
    snapshot = ingest(project)
    table = project.config.split
    earlier = [
        parts
        for parts in project.store.records.all(Parts, newest_first=True)
        if parts.snapshot != snapshot.id and parts.seed == table.seed and parts.first_row is None
    ]
    inputs = {"snapshot": snapshot.id, "split": table, "task": task_of(project, snapshot)}

    def make() -> Parts:
        return splitting.cut(
            project.store,
            snapshot,
            task=task_of(project, snapshot),
            policy=table.policy,
            method=table.method,
            seed=table.seed,
            looks=table.looks,
            previous=earlier[0] if earlier else None,
            progress=project.progress,
        )

    return _once(project, "split", inputs, Parts, make)


def train(project: Project) -> Search:
    """Search for the best candidate within the budget."""
    search, inputs = search_on(project, split(project))
    key = _candidate_key(inputs)
    if project.store.steps.get("candidate", key) != search.id:
        project.store.steps.put("candidate", key, search.id)
    return search


def search_on(project: Project, parts: Parts) -> tuple[Search, dict[str, Any]]:
    """Search on one cut; return what was found, and the inputs that it is known by."""
    snapshot = project.store.records.require(Snapshot, parts.snapshot)
    task = task_of(project, snapshot)
    table, limits = project.config.train, project.config.limits
    if table.engine != "local":
        raise ConfigError(
            f"palio.toml [train]: `engine`: got `{table.engine}`, this version has `local`",
            hint='write engine = "local"',
        )
    inputs = _search_inputs(project, parts, task)

    def make() -> Search:
        search = training.search(
            project.store,
            snapshot,
            parts,
            task=task,
            budget_s=table.budget_s,
            seed=table.seed,
            families=table.families,
            latency_ms_p99=limits.latency_ms_p99,
            size_mb=limits.size_mb,
            progress=project.progress,
        )
        project.store.ledger.append_once(
            "train.search",
            search.id,
            f"Tried {len(search.runs)} candidates and chose {_chosen_family(search)}: {search.reasons[0]}",
            payload={"bundle": search.bundle, "parts": parts.id, "stopped_by": search.stopped_by},
        )
        return search

    return _once(project, "train", inputs, Search, make), inputs


def candidate(project: Project) -> Search:
    """Return the newest search on this data under these settings, whatever its budget was; search if there is none.

    So `palio run --budget 60` and a `palio promote` after it speak of the same candidate.
    """
    parts = split(project)
    task = task_of(project, project.store.records.require(Snapshot, parts.snapshot))
    known = project.store.steps.get("candidate", _candidate_key(_search_inputs(project, parts, task)))
    if known is None:
        return train(project)
    project.skip("train")
    return project.store.records.require(Search, known)


def _search_inputs(project: Project, parts: Parts, task: Task) -> dict[str, Any]:
    config = project.config
    return {
        "parts": parts.id,
        "task": task,
        "train": config.train,
        "limits": config.limits,
        "versions": model.versions(),
    }


def _candidate_key(inputs: dict[str, Any]) -> str:
    """Name the inputs of a search without its budget."""
    return digest_of({**inputs, "train": msgspec.structs.replace(inputs["train"], budget_s=0.0)})


def evaluate(
    project: Project, *, why: str = "gate", search: Search | None = None, newest_from: int | None = None
) -> Assessment:
    """Score a candidate (the newest if none is named), and the champion on the same rows: one look at the sealed test.

    With `newest_from` the two are also compared on the test rows from this row of the snapshot on.
    """
    search = search or candidate(project)
    parts = project.store.records.require(Parts, search.parts)
    snapshot = project.store.records.require(Snapshot, parts.snapshot)
    champion = project.store.promotions.champion(project.name)
    rival = champion.bundle if champion is not None and champion.bundle != search.bundle else None
    inputs = {"bundle": search.bundle, "champion": rival, "parts": parts.id}
    if newest_from is not None:
        inputs["newest_from"] = str(newest_from)

    def make() -> Assessment:
        return judging.assess(
            project.store,
            snapshot,
            parts,
            challenger=model.load(project.store, search.bundle),
            champion=model.load(project.store, rival) if rival else None,
            newest_from=newest_from,
            why=why,
            budget_s=judging.evaluation_budget(project.config.train.budget_s),
            progress=project.progress,
        )

    return _once(project, "evaluate", inputs, judging.Assessment, make)


def replay(project: Project, bundle: str) -> Parity:
    """Send the golden rows of a bundle through a real server and compare the answers."""

    def make() -> Parity:
        return serve.replay(model.load(project.store, bundle), tolerance=PARITY_TOLERANCE)

    return _once(project, "replay", {"bundle": bundle, "versions": model.versions()}, Parity, make)


def promote(project: Project, *, release: bool = True) -> Decision:
    """Let the gate decide on the newest candidate, and put it live if it says yes.

    Without `release` a `yes` is only written down, for a rollout to carry out.

    A candidate that already is the champion is not judged again: its own decision is returned.
    """
    search = candidate(project)
    champion = project.store.promotions.champion(project.name)
    if champion is not None and champion.bundle == search.bundle and champion.decision is not None:
        project.skip("promote")
        project.progress.say(f"version {champion.version} already is this very bundle: nothing to decide")
        return project.store.records.require(Decision, champion.decision)
    decision = decide(project, search, evaluate(project))
    if not release:
        promoting.record(project.store, decision, model=project.name)
        return decision
    promoting.release(
        project.store,
        decision,
        model=project.name,
        expected=champion.version if champion is not None else None,
    )
    return decision


def decide(
    project: Project,
    search: Search,
    assessment: Assessment,
    *,
    may_lose_earlier: bool = False,
    by_person: bool = False,
) -> Decision:
    """Let the gate decide on what an assessment showed, and write nothing down.

    Args:
        project: Whose settings and champion.
        search: That made the candidate.
        assessment: Of it.
        may_lose_earlier: See `promote.decide`.
        by_person: A person must approve, whatever the settings say.
    """
    champion, value = project.store.promotions.champion(project.name), project.config.value
    gate = _gate(project, search.bundle)
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
        parity=replay(project, search.bundle),
        cost=_cost(search),
        error_cost=value.error_cost,
        requests_per_day=value.requests_per_day,
        currency=value.currency,
    )


def _gate(project: Project, bundle: str) -> Gate:
    config = project.config
    was_live = any(line.bundle == bundle for line in project.store.promotions.history(project.name))
    return Gate(
        non_inferiority=config.gate.non_inferiority,
        # What a person rolled back does not come back by itself.
        approval="human" if was_live else config.gate.approval,
        max_latency_ms_p99=config.limits.latency_ms_p99,
        max_size_mb=config.limits.size_mb,
        allow_worse_slices=config.gate.worse_slices == "allow",
    )


def _chosen_family(search: Search) -> str:
    return next(run.family for run in search.runs if run.id == search.chosen or run.chosen)


def _cost(search: Search) -> Cost:
    for run in search.runs:
        if run.chosen and run.cost is not None:
            return run.cost
    raise NotFoundError(f"search {short(search.id)} has no measured cost", hint="run palio train again")


def _once(project: Project, step: str, inputs: dict[str, Any], kind: type[T], make: Callable[[], T]) -> T:
    """Return what `step` made of `inputs` before, or make it now and remember it."""
    key = digest_of(inputs)
    known = project.store.steps.get(step, key)
    if known is not None:
        project.skip(step)
        return project.store.records.require(kind, known)
    made = make()
    project.done.add(step)
    name = getattr(made, "id", key)
    project.store.records.put(made, key=name)
    project.store.steps.put(step, key, name)
    return made
