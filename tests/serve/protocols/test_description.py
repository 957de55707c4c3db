"""The OpenAPI document and the page that are made from the schema."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from palio import serve
from palio.core.records import Column, Deployment
from palio.serve.protocols.schemas import example_of, property_of
from tests.serve.conftest import Wire
from tests.serve.small_model import SmallBundle


def document(wire: Wire) -> dict[str, Any]:
    status, made = wire.json("GET", "/openapi.json")
    assert status == 200
    return dict(made)


def test_the_document_is_openapi_31_and_every_reference_leads_somewhere(wire: Wire) -> None:
    made = document(wire)
    assert made["openapi"].startswith("3.1.")
    references = re.findall(r"#/components/schemas/(\w+)", msgspec.json.encode(made).decode())
    assert references
    assert set(references) <= set(made["components"]["schemas"])
    operations = [operation for path in made["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))


def test_a_record_is_described_by_the_schema_of_the_bundle(wire: Wire) -> None:
    record = document(wire)["components"]["schemas"]["Record"]
    assert record["required"] == ["age", "married"]
    assert record["additionalProperties"] is False
    assert "y" not in record["properties"]
    assert record["properties"]["age"] == {"type": "integer", "minimum": 18, "maximum": 90}
    assert record["properties"]["level"]["enum"] == ["low", "high", "", None]
    assert record["properties"]["job"]["examples"] == ["admin", "student", "retired"]
    assert "between -1000 and 5000" in record["properties"]["balance"]["description"]


def test_the_example_of_the_document_is_a_record_that_the_server_takes(wire: Wire) -> None:
    example = document(wire)["components"]["schemas"]["Record"]["examples"][0]
    status, answer = wire.json("POST", "/predict", example)
    assert status == 200
    assert answer["predictions"][0]["flags"] == []


def test_the_answer_is_described_as_it_is(wire: Wire) -> None:
    described = document(wire)["components"]["schemas"]["Prediction"]
    _, answer = wire.json("POST", "/predict", document(wire)["components"]["schemas"]["Record"]["examples"])
    row = answer["predictions"][0]
    assert set(described["required"]) == set(row)
    assert row["prediction"] in described["properties"]["prediction"]["enum"]
    assert list(described["properties"]["probabilities"]["properties"]) == list(row["probabilities"])


def test_every_documented_path_answers(wire: Wire) -> None:
    for path, operations in document(wire)["paths"].items():
        for method in operations:
            assert wire(method.upper(), path)[0] in ((404,) if path == "/feedback" else (200, 400, 415)), path


def test_a_regression_has_a_number_and_no_probabilities(bundle: SmallBundle) -> None:
    task = msgspec.structs.replace(bundle.manifest.task, kind="regression", classes=(), positive=None)
    manifest = msgspec.structs.replace(bundle.manifest, task=task)
    made = serve.openapi(manifest, Deployment(model="m", version=1, bundle=bundle.id))
    properties = made["components"]["schemas"]["Prediction"]["properties"]
    assert "probabilities" not in properties
    assert properties["prediction"] == {"type": ["number", "null"]}


def test_each_type_of_column_has_a_description_and_an_example() -> None:
    moment = Column(name="at", type="datetime", low=0.0, high=86400.0)
    assert property_of(moment)["type"] == ["string", "number", "null"]
    assert example_of(moment) == 43200
    assert property_of(Column(name="words", type="text"))["type"] == ["string", "null"]
    assert example_of(Column(name="words", type="text")) == "text"
    flag = Column(name="flag", type="boolean", missing_allowed=False)
    assert property_of(flag)["type"] == ["boolean", "string"]
    assert example_of(flag) is True
    assert example_of(Column(name="size", type="number")) == 0.5
