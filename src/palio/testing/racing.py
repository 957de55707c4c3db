"""Let processes race for one store, and let them die at a bad moment. Workers are here so that children find them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from palio.core.errors import PalioError
from palio.core.ids import canonical_json, digest
from palio.core.records import Decision, Gate, Promotion
from palio.store import Store, open_store

_PATIENCE_S = 120.0
# A server that forks: each racer starts within milliseconds, and none inherits connections of the test.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["palio.testing.racing", "palio.store.cellar", "psycopg", "sqlalchemy.dialects.postgresql.psycopg"]
)


class Place(NamedTuple):
    """Where a store is; the same arguments as `open_store`, but picklable."""

    folder: Path
    url: str = ""
    blobs: str = ""

    def open(self) -> Store:
        """Open the store, again and again the same."""
        return open_store(self.folder, url=self.url, blobs=self.blobs)


def put_bundle(store: Store, name: str) -> str:
    """Put a small bundle with two members, different for each name, and return its identity."""
    files = {member: store.blobs.put(f"{member} of {name}".encode()) for member in ("model.onnx", "card.md")}
    return store.blobs.put(canonical_json({"format": 1, "files": files}))


def make_decision(bundle: str, champion: str | None = None) -> Decision:
    """Make a decision in favour of `bundle`."""
    return Decision(
        id=digest(f"decision for {bundle} against {champion}".encode()),
        verdict="yes",
        challenger=bundle,
        champion=champion,
        evaluation="",
        comparison=None,
        parity=None,
        checks=(),
        reasons=("It is better.",),
        gate=Gate(),
    )


def promote(store: Store, bundle: str, *, expected: int | None, model: str = "bank") -> Promotion:
    """Promote `bundle` without further questions."""
    return store.promotions.append(
        model,
        bundle,
        expected=expected,
        kind="promote",
        decision=make_decision(bundle),
        evidence=store.blobs.put(f"evidence for {bundle}".encode()),
        reason="It is better.",
        actor="ann",
        event_text=f"Version {{version}} of {model} is the champion.",
    )


def race(worker: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Run `worker` once per tuple of arguments, each in a process, all from the same moment.

    Returns:
        What each returned, or the name of the Palio error that it raised, in order.
    """
    barrier = _context.Barrier(len(arguments))
    results = _context.SimpleQueue()
    racers = [
        _context.Process(target=_run, args=(worker, number, given, barrier, results))
        for number, given in enumerate(arguments)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(_PATIENCE_S)
        if racer.is_alive():
            racer.kill()
            racer.join()
    found: dict[int, Any] = {}
    while not results.empty():
        number, result = results.get()
        found[number] = result
    return [found.get(number, "died") for number in range(len(arguments))]


def start(worker: Callable[..., Any], *arguments: Any) -> Any:
    """Start one process and return it."""
    process = _context.Process(target=worker, args=arguments)
    process.start()
    return process


def append_lines(place: Place, n_lines: int) -> int:
    """Open the store and write lines."""
    with place.open() as store:
        for number in range(n_lines):
            store.ledger.append("test.line", str(os.getpid()), f"Line {number}.")
    return n_lines


def try_promotion(place: Place, bundle: str, expected: int | None) -> int:
    """Try to become champion; return the version."""
    with place.open() as store:
        return promote(store, bundle, expected=expected).version


def spend(place: Place, budget: int) -> int:
    """Try to use one unit of a budget of ledger lines; return the line's number."""
    with place.open() as store:
        return store.ledger.append("test.look", "parts", "One look.", at_most=budget).sequence


def promote_for_ever(place: Place, acknowledged: Path) -> None:
    """Promote one bundle after the other; write each version down as soon as it is acknowledged."""
    with place.open() as store, acknowledged.open("a") as file:
        while True:
            champion = store.promotions.champion("bank")
            version = 0 if champion is None else champion.version
            bundle = put_bundle(store, str(version + 1))
            promotion = promote(store, bundle, expected=version or None)
            file.write(f"{promotion.version}\n")
            file.flush()


def die_while_promoting(place: Place, statement: str) -> None:
    """Promote, and be killed just before (`<`) or just after (`>`) the SQL statement that begins so."""
    import sqlalchemy as sa

    moment = {"<": "before_cursor_execute", ">": "after_cursor_execute"}[statement[0]]
    with place.open() as store:
        bundle = put_bundle(store, "doomed")
        champion = store.promotions.champion("bank")

        @sa.event.listens_for(store.database.engine, moment)
        def _die(_: Any, __: Any, text: str, *___: Any) -> None:
            if text.startswith(statement[1:]):
                os.kill(os.getpid(), signal.SIGKILL)

        promote(store, bundle, expected=None if champion is None else champion.version)


def _run(worker: Callable[..., Any], number: int, given: tuple[Any, ...], barrier: Any, results: Any) -> None:
    barrier.wait(_PATIENCE_S)
    try:
        results.put((number, worker(*given)))
    except PalioError as error:
        results.put((number, type(error).__name__))
