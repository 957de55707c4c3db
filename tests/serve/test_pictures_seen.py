"""Pictures are seen beside the event loop, small ones apart from large ones, and once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from palio import pixels
from palio.core.errors import ContractError
from palio.core.records import PictureReading
from palio.core.serving import Plan
from palio.serve import pictures
from palio.serve.pictures import Sent, Sight
from palio.serve.protocols.wire import WireError
from palio.serve.served import prepare
from tests.serve.conftest import Switch
from tests.serve.picture_model import BESIDE, SIZE, picture, picture_bundle


@pytest.fixture(scope="module")
def sight() -> Sight:
    bundle = picture_bundle(BESIDE)
    return Sight(bundle.graph.readings, bundle.manifest)


def feeds(*files: bytes) -> dict[str, Any]:
    return {"photo": np.array(files, object).reshape(-1, 1), "weight": np.zeros((len(files), 1))}


def test_what_is_seen_is_what_training_saw_bit_for_bit(sight: Sight) -> None:
    data = picture(77, size=(300, 200))
    found = sight(feeds(data))
    assert found is not None
    reading = PictureReading(input="photo", size=SIZE)
    assert np.array_equal(found["photo"][0, 0].fitted(reading), pixels.fitted(data, size=SIZE))
    assert found["weight"].tolist() == [[0.0]]


def test_large_pictures_are_left_to_somebody_patient(sight: Sight) -> None:
    small, large = picture(size=(100, 100)), picture(size=(1_000, 1_000))
    assert sight(feeds(small), 20_000) is not None
    assert sight(feeds(small, small, small), 20_000) is None, "together they count"
    assert sight(feeds(large), 20_000) is None
    assert sight(feeds(large)) is not None


def test_a_request_may_not_ask_for_any_amount_of_work(sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_FITTED_BYTES", 10 * 3 * SIZE**2)
    assert sight.n_bytes(10) == 10 * 3 * SIZE**2
    with pytest.raises(WireError, match="more than the 10"):
        sight.n_bytes(11)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 20_000)
    with pytest.raises(WireError, match="together") as refused:
        sight(feeds(*[picture(size=(100, 100))] * 3), pictures.MOST_PIXELS)
    assert refused.value.status == 413


def test_the_first_bad_picture_is_named_by_its_row(sight: Sight) -> None:
    with pytest.raises(ContractError, match="row 1: `photo` cannot be used: ") as refused:
        sight(feeds(picture(), picture()[:90], b"none"))
    assert refused.value.facts["violations"] == [{"column": "photo", "rule": "picture", "row": 1}]


def test_a_model_of_pictures_never_computes_on_the_event_loop() -> None:
    """Its graph alone would be quick enough; what comes before it is not."""
    from palio import serve

    provider: Any = Switch({1: picture_bundle()})
    app = serve.create_app(provider)
    app.registry.start()
    state = app.registry.state
    assert state.served is not None and state.served.sight is not None
    assert not app.pipeline.is_quick(state)
    app.registry.stop()
    seen: list[str] = []

    class Watched(Sight):
        def __call__(self, *given: Any) -> Any:
            seen.append(threading.current_thread().name)
            return super().__call__(*given)

    bundle = picture_bundle()
    watched = Watched(bundle.graph.readings, bundle.manifest)

    class Provider(Switch):
        def load(self, deployment: Any) -> Any:
            import dataclasses

            return dataclasses.replace(prepare(bundle, deployment), sight=watched)  # type: ignore[arg-type]

    provider = Provider({1: bundle})  # type: ignore[dict-item]
    from tests.serve.conftest import Wire

    with serve.background(serve.create_app(provider)) as url:
        wire = Wire(url)
        for size in ((50, 40), (1_500, 1_500)):
            assert wire("POST", "/predict", picture(size=size), {"content-type": "image/jpeg"})[0] == 200
        wire.connection.close()
    small, large_first, large = (name.rpartition("_")[0] for name in seen)
    assert (small, large_first, large) == ("palio-wire", "palio-wire", "palio-large")


def test_another_model_sees_the_same_picture_in_its_own_size() -> None:
    """So a challenger may answer in the shadow what the champion was asked."""
    from palio.model import PictureReader

    sent = Sent(picture(120))
    for size in (SIZE, 24):
        reader = PictureReader(PictureReading(input="photo", size=size))
        sent.see([reader], 0)
        assert sent.fitted(reader.reading).shape == (size, size, 3)  # type: ignore[union-attr]
        assert reader.picture(sent) is sent.fitted(reader.reading)


def test_a_plan_of_a_model_of_pictures_is_measured_without_decoding() -> None:
    provider: Any = Switch({1: picture_bundle()})
    plan: Plan = provider.current()
    assert plan.champion is not None
    served = provider.load(plan.champion)
    assert served.explainer is None
    assert served.latency_s > served.batching.row_s, "what comes before the graph counts for how many are let in"
    assert served.batching.why != "rows together get other answers than alone"
