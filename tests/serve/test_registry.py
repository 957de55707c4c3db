"""A real store, real bundles, a real server: the champion of the ledger is what answers."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palio import model, serve, store
from palio.core.errors import PalioError
from palio.core.monitoring import Reference
from palio.serve.traffic.rules import ANONYMOUS
from tests.serve.small_model import GOOD, SmallBundle, feeds, small_bundle

REFERENCE = Reference(n_rows=1, n_scored=0, in_time_order=False, columns=())


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[store.Store]:
    with store.open_store(tmp_path) as opened:
        yield opened


def put(shelf: store.Store, small: SmallBundle) -> str:
    """Pack a bundle as training does."""
    rows = feeds(20)
    facts = {
        name: getattr(small.manifest, name)
        for name in small.manifest.__struct_fields__
        if name not in ("format", "inputs", "outputs", "files", "readings", "precision")
    }
    golden = model.Golden(feeds=rows, outputs=small.graph.predict(rows))
    return model.pack(shelf, small.model, reference=REFERENCE, golden=golden, **facts)


def promote(shelf: store.Store, bundle: str, *, expected: int | None, kind: Any = "promote") -> None:
    shelf.promotions.append(
        "bank",
        bundle,
        expected=expected,
        kind=kind,
        decision=None,
        evidence="0" * 64,
        reason="a test",
        actor="tester",
        event_text="version {version} goes live",
    )


def wait_for(question: Any) -> None:
    end = time.monotonic() + 30
    while not question():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_promotion_and_rollback_in_the_ledger_reach_the_server(shelf: store.Store) -> None:
    first, second = put(shelf, small_bundle()), put(shelf, small_bundle(1.0))
    promote(shelf, first, expected=None)
    app = serve.create_app(serve.StoreProvider(shelf, "bank"), poll_s=0.02)
    with serve.background(app) as url, serve.Client(url) as client:
        (before,) = client.predict(GOOD)
        promote(shelf, second, expected=1)
        wait_for(lambda: client.predict(GOOD)[0].version == 2)
        assert client.predict(GOOD)[0].probabilities != before.probabilities
        promote(shelf, first, expected=2, kind="rollback")
        wait_for(lambda: client.predict(GOOD)[0].version == 1)
        assert client.predict(GOOD)[0].probabilities == before.probabilities


def test_a_champion_whose_bytes_were_changed_on_disk_is_refused_by_name(shelf: store.Store) -> None:
    first, second = put(shelf, small_bundle()), put(shelf, small_bundle(1.0))
    promote(shelf, first, expected=None)
    graph = shelf.blobs.local_path(model.load(shelf, second).manifest.files["model.onnx"])
    assert graph is not None
    app = serve.create_app(serve.StoreProvider(shelf, "bank"), poll_s=0.02)
    with serve.background(app) as url, serve.Client(url) as client:
        promote(shelf, second, expected=1)
        wait_for(lambda: client.predict(GOOD)[0].version == 2)
        promote(shelf, first, expected=2, kind="rollback")
        wait_for(lambda: client.predict(GOOD)[0].version == 1)
        graph.chmod(0o644)
        graph.write_bytes(graph.read_bytes().replace(b"no_balance", b"my_balance"))
        promote(shelf, second, expected=1, kind="rollback")
        wait_for(lambda: app.registry.state.trouble)
        assert client.predict(GOOD)[0].version == 1
        detail = msgspec.json.decode(client.request("GET", "/v2/health/ready"))["detail"]
        assert detail.startswith("version 2 is refused: model.onnx")


def test_a_server_that_finds_no_model_of_that_name_waits(shelf: store.Store) -> None:
    app = serve.create_app(serve.StoreProvider(shelf, "bank"), poll_s=0.02)
    with serve.background(app) as url, serve.Client(url) as client:
        bundle = put(shelf, small_bundle())
        promote(shelf, bundle, expected=None)
        wait_for(lambda: app.registry.state.served)
        assert client.predict(GOOD)[0].version == 1


def test_an_exported_bundle_is_served_from_its_folder(shelf: store.Store, tmp_path: Path) -> None:
    folder = model.export(shelf, put(shelf, small_bundle()), tmp_path / "exported")
    bundle = model.open_folder(folder)
    with serve.background(serve.create_app(serve.fixed(bundle))) as url, serve.Client(url) as client:
        assert client.predict(GOOD)[0].prediction in ("no", "yes")
        assert msgspec.json.decode(client.request("GET", "/v2/models/y"))["versions"] == ["1"]
    assert serve.replay(bundle, tolerance=0.0).passed


def test_a_refused_bundle_leaves_one_line_in_the_ledger(shelf: store.Store) -> None:
    first, second = put(shelf, small_bundle()), put(shelf, small_bundle(1.0))
    promote(shelf, first, expected=None)
    graph = shelf.blobs.local_path(model.load(shelf, second).manifest.files["model.onnx"])
    assert graph is not None
    promote(shelf, second, expected=1)
    graph.chmod(0o600)
    graph.write_bytes(b"not the graph")
    for _ in range(2):  # two servers on one store
        with serve.background(serve.create_app(serve.StoreProvider(shelf, "bank"), poll_s=0.02)):
            pass
    (line,) = shelf.ledger.events(kind="serve.refuse")
    assert (line.subject, line.payload["version"]) == (second, 2)


def test_rules_hold_before_there_is_a_champion(shelf: store.Store) -> None:
    app = serve.create_app(serve.StoreProvider(shelf, "bank"), poll_s=0.02)
    with serve.background(app) as url, urllib.request.urlopen(f"{url}/v2", timeout=5) as answer:
        assert answer.status == 200
        assert app.registry.state.access.decide(ANONYMOUS, "bank", "1", "champion", "", 0.0).allowed
        serve.add_key(shelf, "bank", "web")
        wait_for(lambda: not app.registry.state.access.decide(ANONYMOUS, "bank", "1", "champion", "", 0.0).allowed)


def test_rules_hold_at_once_while_a_model_takes_long_to_load(shelf: store.Store) -> None:
    first, second = put(shelf, small_bundle()), put(shelf, small_bundle(1.0))
    promote(shelf, first, expected=None)
    may_end = threading.Event()

    class Slow(serve.StoreProvider):
        def load(self, deployment: Any) -> Any:
            if deployment.bundle == second:
                assert may_end.wait(30)
            return super().load(deployment)

    app = serve.create_app(Slow(shelf, "bank"), poll_s=0.02)
    with serve.background(app) as url, serve.Client(url) as client:
        promote(shelf, second, expected=1)
        serve.add_key(shelf, "bank", "web")
        wait_for(lambda: not app.registry.state.access.decide(ANONYMOUS, "bank", "1", "champion", "", 0.0).allowed)
        with pytest.raises(PalioError, match="API key"):
            client.predict(GOOD)
        assert app.registry.state.served is not None and app.registry.state.served.version == "1"
        may_end.set()
        wait_for(lambda: app.registry.state.served.version == "2")
