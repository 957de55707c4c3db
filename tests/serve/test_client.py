"""The Python client, and the replay of golden rows through a real server."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from palio import serve
from palio.core.errors import ContractError, InputError, NotFoundError, UnavailableError
from palio.model import Outputs
from tests.serve.small_model import GOOD, SmallBundle, SmallGolden, feeds, small_bundle


def test_a_client_gets_typed_answers(url: str) -> None:
    with serve.Client(url) as client:
        (one,) = client.predict(GOOD)
        assert one.prediction in ("no", "yes")
        assert one.probabilities is not None
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert one.version == 3
        assert [answer.flags for answer in client.predict([GOOD, GOOD | {"job": "astronaut"}])] == [
            (),
            ("job: unknown category",),
        ]


def test_a_refused_request_becomes_the_error_that_fits(url: str) -> None:
    with serve.Client(url) as client:
        with pytest.raises(ContractError, match="`age`"):
            client.predict(GOOD | {"age": "old"})
        with pytest.raises(InputError, match="no record"):
            client.predict([])
        with pytest.raises(NotFoundError, match="unknown model"):
            client.infer("other", [])


def test_an_absent_server_and_a_bad_address_are_clear_errors() -> None:
    with serve.Client("http://127.0.0.1:9") as client, pytest.raises(UnavailableError, match="does not answer"):
        client.predict(GOOD)
    with pytest.raises(InputError, match="http://host:port"):
        serve.Client("ftp://somewhere")


def test_threads_may_share_a_client(url: str) -> None:
    answers = []
    with serve.Client(url) as client:
        threads = [threading.Thread(target=lambda: answers.extend(client.predict([GOOD] * 10))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({answer.id for answer in answers}) == 80


def test_a_client_survives_a_restart_of_the_server(bundle: SmallBundle) -> None:
    with serve.background(serve.create_app(serve.fixed(bundle))) as url:
        client = serve.Client(url)
        client.predict(GOOD)
    port = int(url.rpartition(":")[2])
    with serve.background(serve.create_app(serve.fixed(bundle)), port=port):
        assert client.predict(GOOD)
    client.close()


def test_replayed_golden_rows_equal_those_of_the_bundle_bit_by_bit(bundle: SmallBundle) -> None:
    parity = serve.replay(bundle, tolerance=0.0)
    assert parity.passed
    assert (parity.path, parity.rows, parity.max_abs_diff, parity.n_label_diffs) == ("graph and server", 7, 0.0, 0)


def test_a_bundle_with_other_golden_answers_does_not_pass() -> None:
    bundle = small_bundle()
    rows = feeds()
    made = bundle.graph.predict(rows)
    assert made.probabilities is not None
    moved = Outputs(prediction=made.prediction, probabilities=np.clip(made.probabilities + 1e-8, 0, 1))
    bundle.golden = lambda: SmallGolden(rows, moved)  # type: ignore[method-assign]
    assert not serve.replay(bundle, tolerance=1e-9).passed
    assert serve.replay(bundle, tolerance=1e-7).passed
    assert replace(bundle).golden().outputs.probabilities is not moved.probabilities
