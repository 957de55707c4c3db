from __future__ import annotations

import dataclasses
from typing import Any

from palio import serve
from tests.serve.small_model import GOOD, feeds, small_bundle, small_graph
from tests.serve.worse_graphs import fail_above

JSON = {"content-type": "application/json"}


def test_a_bundle_that_fails_on_rows_that_keep_the_contract_is_at_fault_not_the_caller(connect: Any) -> None:
    highest = float(feeds()["age"].max())
    bundle = dataclasses.replace(small_bundle(), model=fail_above(small_graph(), "age", highest))
    with serve.background(serve.create_app(serve.fixed(bundle, model="bank"))) as url:  # type: ignore[arg-type]
        wire = connect(url)
        assert wire("POST", "/predict", {"records": [GOOD | {"age": int(highest)}]})[0] == 200
        for path in ("/predict", "/invocations"):
            name = "records" if path == "/predict" else "dataframe_records"
            status, _, body = wire("POST", path, {name: [GOOD | {"age": int(highest) + 1}]}, JSON)
            assert status == 500 and b"the model failed" in body, (path, body)
        assert wire("POST", "/predict", {"records": [GOOD | {"age": 3}]})[0] == 422
