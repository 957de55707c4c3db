from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from palio.core.errors import ConflictError, NotFoundError
from palio.core.records import Deployment
from palio.core.renewal import RetrainRequest
from palio.renew import loop_story, renewal_standing, withdraw, write_plan, write_renewal
from palio.store import Store, open_store

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
REQUEST = RetrainRequest(
    id="",
    model="bank",
    champion=Deployment(model="bank", version=3, bundle="a" * 64),
    at=NOW,
    reasons=("Accuracy fell.", "Nothing was compared."),
    labels_until=NOW,
    n_labels=1200,
    budget_s=60,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path, clock=lambda: NOW) as found:
        yield found


def test_a_plan_is_a_line_with_its_reasons_and_the_newest_line_holds(store: Store) -> None:
    assert renewal_standing(store, "bank") is None
    planned = write_plan(store, REQUEST)
    assert planned.request.id and renewal_standing(store, "bank") == planned
    line = store.ledger.newest("renew.retrain", "bank")
    assert line is not None and "1,200 new labelled rows: Accuracy fell." in line.text
    trained = msgspec.structs.replace(planned.renewal, status="trained", search="s")
    written = write_renewal(store, planned, trained, "Trained.", kind="train")
    assert renewal_standing(store, "bank") == written and written.renewal.search == "s"


def test_a_second_plan_waits_for_the_first_and_has_another_name(store: Store) -> None:
    first = write_plan(store, REQUEST)
    with pytest.raises(ConflictError, match="under way"):
        write_plan(store, REQUEST)
    withdraw(store, "bank", reason="a mistake")
    second = write_plan(store, REQUEST)
    assert second.request.id != first.request.id
    assert write_plan(store, msgspec.structs.replace(REQUEST, model="telco")).line > second.line


def test_of_many_who_plan_at_once_one_does(store: Store) -> None:
    def plan(_: int) -> bool:
        try:
            write_plan(store, REQUEST)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(plan, range(8))) == 1
    assert store.ledger.count("renew.retrain.plan", "bank") == 1


def test_a_step_is_written_by_one_of_two(store: Store) -> None:
    planned = write_plan(store, REQUEST)
    done = msgspec.structs.replace(planned.renewal, status="collected")
    write_renewal(store, planned, done, "Collected.", kind="collect")
    with pytest.raises(ConflictError):
        write_renewal(store, planned, done, "Collected.", kind="collect")


def test_what_is_not_under_way_cannot_be_withdrawn(store: Store) -> None:
    with pytest.raises(NotFoundError):
        withdraw(store, "bank")
    write_plan(store, REQUEST)
    assert withdraw(store, "bank", reason="no").renewal.reason == "withdrawn: no"
    with pytest.raises(NotFoundError):
        withdraw(store, "bank")


def test_the_loop_is_told_by_chapters_in_plain_words(store: Store) -> None:
    assert loop_story(store.ledger.events()) == "Nothing was watched or renewed yet."
    store.ledger.append("monitor.alert", "bank", "Accuracy fell below 0.8.")
    store.ledger.append("data.ingest", "s", "ingested rows")
    planned = write_plan(store, REQUEST)
    begun = msgspec.structs.replace(planned.renewal, attempts=1)
    begun_line = write_renewal(store, planned, begun, "Began.", kind="begin")
    over = msgspec.structs.replace(begun, status="refused")
    write_renewal(store, begun_line, over, "Refused:\x1b[31m worse.", kind="refuse")
    identity = planned.request.id
    assert loop_story(store.ledger.events()).splitlines() == [
        "20 May 2026",
        "  12:00  seen         Accuracy fell below 0.8.",
        "",
        f"Renewal {identity}, 20 May 2026",
        f"  12:00  decided      Planned renewal {identity} of bank, to learn from 1,200 new labelled rows: "
        "Accuracy fell. Nothing was compared.",
        "  12:00  refused      Refused: [31m worse.",
    ]
