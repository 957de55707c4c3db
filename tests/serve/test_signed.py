"""A server that trusts some keys serves only what one of them signed."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from palio import model, serve, store
from palio.core.errors import RefusedError
from palio.core.records import Signature
from tests.serve.small_model import GOOD, small_bundle
from tests.serve.test_registry import promote, put, wait_for


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[store.Store]:
    with store.open_store(tmp_path) as opened:
        yield opened


def make(folder: Path, name: str) -> model.PrivateKey:
    model.make_keys(folder / f"{name}.pem", folder / f"{name}.pub")
    return model.read_private_key(folder / f"{name}.pem")


@pytest.fixture
def key(tmp_path: Path) -> model.PrivateKey:
    return make(tmp_path, "key")


def detail(client: serve.Client) -> str:
    told: dict[str, str] = msgspec.json.decode(client.request("GET", "/v2/health/ready"))
    return told.get("detail", "")


def test_an_unsigned_champion_waits_for_its_signature_while_the_old_one_serves(
    shelf: store.Store, key: model.PrivateKey, tmp_path: Path
) -> None:
    first, second = put(shelf, small_bundle()), put(shelf, small_bundle(1.0))
    model.add_signature(shelf, key.sign(first))
    promote(shelf, first, expected=None)
    provider = serve.StoreProvider(shelf, "bank", trust=model.Trust([key.public]))
    app = serve.create_app(provider, poll_s=0.02)
    with serve.background(app) as url, serve.Client(url) as client:
        assert client.predict(GOOD)[0].version == 1
        promote(shelf, second, expected=1)
        wait_for(lambda: "not signed by a trusted key" in detail(client))
        assert client.predict(GOOD)[0].version == 1
        model.add_signature(shelf, make(tmp_path, "stranger").sign(second))
        wait_for(lambda: "which is not trusted" in detail(client))
        assert client.predict(GOOD)[0].version == 1
        model.add_signature(shelf, key.sign(second))
        begin = time.monotonic()
        wait_for(lambda: client.predict(GOOD)[0].version == 2)
        assert time.monotonic() - begin < serve.registry.RETRY_REFUSED_S / 2  # type: ignore[attr-defined]
        assert detail(client) == ""
    (line,) = shelf.ledger.events(kind="serve.refuse")
    assert (line.subject, line.payload["version"]) == (second, 2)
    assert "not signed by a trusted key" in line.text
    shelf.ledger.verify()


def test_a_forged_signature_and_one_of_another_bundle_do_not_help(shelf: store.Store, key: model.PrivateKey) -> None:
    first, second = put(shelf, small_bundle()), put(shelf, small_bundle(1.0))
    forged = Signature(bundle=first, key=key.public.id, signature=base64.b64encode(b"x" * 64).decode())
    model.add_signature(shelf, forged)
    model.add_signature(shelf, msgspec.structs.replace(key.sign(second), bundle=first))
    promote(shelf, first, expected=None)
    registry = serve.create_app(serve.StoreProvider(shelf, "bank", trust=model.Trust([key.public]))).registry
    registry.refresh()
    assert registry.state.served is None
    assert "not genuine" in registry.state.trouble


def test_not_a_byte_of_an_unsigned_bundle_is_read(shelf: store.Store, key: model.PrivateKey) -> None:
    bundle = put(shelf, small_bundle())
    graph = shelf.blobs.local_path(model.load(shelf, bundle).manifest.files["model.onnx"])
    assert graph is not None
    graph.unlink()
    with pytest.raises(RefusedError, match="not signed"):
        model.load(shelf, bundle, trust=model.Trust([key.public]))


def test_a_signature_does_not_excuse_damage(shelf: store.Store, key: model.PrivateKey) -> None:
    bundle = put(shelf, small_bundle())
    model.add_signature(shelf, key.sign(bundle))
    graph = shelf.blobs.local_path(model.load(shelf, bundle).manifest.files["model.onnx"])
    assert graph is not None
    graph.chmod(0o600)
    graph.write_bytes(graph.read_bytes().replace(b"no_balance", b"my_balance"))
    promote(shelf, bundle, expected=None)
    registry = serve.create_app(serve.StoreProvider(shelf, "bank", trust=model.Trust([key.public]))).registry
    registry.refresh()
    assert registry.state.served is None
    assert "model.onnx" in registry.state.trouble


def test_a_refusal_that_is_repeated_is_told_once(
    shelf: store.Store, key: model.PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(shelf, put(shelf, small_bundle()), expected=None)
    provider = serve.StoreProvider(shelf, "bank", trust=model.Trust([key.public]))
    told: list[str] = []
    monkeypatch.setattr(provider, "refused", lambda deployment, why: told.append(why))
    registry = serve.create_app(provider).registry
    for _ in range(5):
        registry.refresh()
    assert len(told) == 1


def test_an_export_carries_its_signatures(shelf: store.Store, key: model.PrivateKey, tmp_path: Path) -> None:
    bundle, fresh = put(shelf, small_bundle()), make(tmp_path, "fresh")
    unsigned = model.export(shelf, bundle, tmp_path / "unsigned")
    for one in (key, fresh):
        model.add_signature(shelf, one.sign(bundle))
    signed = model.export(shelf, bundle, tmp_path / "signed")
    for one in (key, fresh):
        assert model.open_folder(signed, trust=model.Trust([one.public])).id == bundle
        with pytest.raises(RefusedError, match="not signed"):
            model.open_folder(unsigned, trust=model.Trust([one.public]))
    (signed / "manifest.json").write_bytes((signed / "manifest.json").read_bytes() + b" ")
    with pytest.raises(RefusedError, match="of another bundle"):
        model.open_folder(signed, trust=model.Trust([key.public]))
    assert model.open_folder(unsigned).id == bundle  # nobody need sign where nobody asks
