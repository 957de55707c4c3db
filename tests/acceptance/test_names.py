"""Any name of a column works everywhere: from the source to the answer over the wire, and in all that people read."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from palio import data, flow, model, serve, split
from palio.model import Bundle
from palio.store import open_store
from palio.train import Examples
from palio.train.family import graph_of
from palio.train.table import load_family
from palio.train.work import check

HOUSE = (
    *(
        "features",
        "prediction",
        "probabilities",
        "probability_yes",
        "truth",
        "block",
        "row",
        "id_",
        "literal",
        "column_1",
    ),
    *("input:z", "input.age", "input.prediction", "#0", "#12", "input", "output", "model", "name", "shape", "records"),
    *("inputs", "outputs", "parameters", "at", "version", "problem", "@at", "@row", "target", "index", "columns", "n"),
)
"""Names that Palio, or a protocol that it speaks, uses itself."""
STRANGE = (
    *("age", "raw age", 'a,"b"', "c:[d]{e}", "x\ty", "two\nlines", "\x01\x02", "\x7f", "../..", "<b>q</b>", "`tick`"),
    *("a|b", "%s", "{{7*7}}", "${x}", "\\n", "it's", "😀", "שלום", "‮abc", "价格", "Größe (m²)"),
    *("é", "e\u0301", "A", "a", "1", "2019", "-3.5e2", "nan", "None", "NULL", "true", "__proto__", "constructor"),
    *("x" * 10_000, "&amp;", "]]>", "--", ";", "a\u200bb", "a\u00a0b"),
)
PATTERNS = ("^a.*$", "*", "^.*$", "^$", "a*", "[a-z]+")
"""Names that some libraries take for a pattern of names."""

letters = st.characters(codec="utf-8", exclude_characters="\x00")
made_up = st.text(letters, min_size=1, max_size=30).filter(lambda name: bool(name.strip()) and name == name.strip())
names = st.lists(
    st.one_of(st.sampled_from(HOUSE), st.sampled_from(STRANGE), made_up), min_size=3, max_size=6, unique=True
).filter(lambda found: "y" not in found)


def table(columns: list[str], *, n_rows: int = 120) -> pl.DataFrame:
    """Make rows whose answer the first two columns tell; every third column is a category."""
    rng = np.random.default_rng(len(columns))
    cells: dict[str, Any] = {
        name: rng.choice(["p", "q", "r"], n_rows) if place % 3 == 2 else rng.normal(size=n_rows).round(4)
        for place, name in enumerate(columns)
    }
    signal = cells[columns[0]] + cells[columns[1]] + rng.normal(scale=0.3, size=n_rows)
    return pl.DataFrame({**cells, "y": np.where(signal > 0, "yes", "no")})


def trained(frame: pl.DataFrame, folder: Path, family: str) -> tuple[Bundle, pl.DataFrame]:
    """Take a frame through survey, ingest and split to a bundle; return it with rows that it has not seen."""
    folder.mkdir(parents=True)
    frame.write_parquet(folder / "rows.parquet")
    with open_store(folder) as store:
        source = data.open_source(folder / "rows.parquet")
        schema = data.survey(source, target="y").schema
        data.write_schema(schema, folder / "schema.toml")
        schema = data.read_schema(folder / "schema.toml")
        snapshot = data.ingest(source, store=store, schema=schema)
        task = data.infer_task(store, snapshot)
        parts = split.cut(store, snapshot, task=task)
        rows = split.read(store, snapshot, parts, "train")
        examples = Examples(rows, data.target_array(rows, task), snapshot.schema, task)
        learner = load_family(family)
        params = dict(learner.defaults(examples.shape, task)[0]) | ({"n_estimators": 5} if family == "lightgbm" else {})
        fitted = learner.fit(examples, params=params, seed=0)
        graph = graph_of(fitted, examples.schema, task)
        assert all(one.passed for one in check(graph, fitted, examples))
        runner = model.Graph(graph)
        answers = runner.predict(examples.feeds())
        known = {"answers": answers, "truth": examples.target}
        bundle = model.pack(
            store,
            graph,
            golden=model.make_golden(runner, rows, snapshot.schema),
            reference=model.make_reference(examples.feeds(), snapshot.schema, task, **known),
            reference_rows=model.sample_rows(examples.feeds(), snapshot.schema, task, **known),
            task=task,
            schema=snapshot.schema,
            family=family,
            params=params,
            seed=0,
            n_parameters=fitted.n_parameters,
            snapshot=snapshot.id,
            parts=parts.id,
            trained_on=("train",),
            metrics={},
            parity=(),
            versions={},
        )
        opened = model.load(store, bundle)
        unseen = split.open_test(store, snapshot, parts, candidate=bundle, why="a test").rows
    return opened, unseen


def ask(url: str, path: str, body: Any = None) -> Any:
    """Send JSON and read JSON."""
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, sent, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def properties(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the properties of every object that a JSON schema describes."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and isinstance(value.get("properties"), dict):
        yield value["properties"]
    for one in inner:
        yield from properties(one)


def assert_served_as_told(bundle: Bundle, rows: pl.DataFrame) -> None:
    """Ask a server by every protocol, and want what the graph itself answers."""
    schema = bundle.manifest.schema
    feeds = model.feeds_from_frame(rows, schema)
    told = bundle.graph.predict(feeds)
    assert told.probabilities is not None
    columns = [column.name for column in schema.features]
    records = rows[columns].to_dicts()
    tensors = [
        {
            "name": name,
            "shape": list(cells.shape),
            "datatype": "FP64" if cells.dtype.kind == "f" else "BYTES",
            "data": cells.ravel().tolist(),
        }
        for name, cells in feeds.items()
    ]
    frame = {"columns": columns, "data": [list(record.values()) for record in records]}
    with serve.background(serve.create_app(serve.fixed(bundle, model="m"))) as url:
        found = ask(url, "/predict?explain=1", {"records": records[:3]})["predictions"]
        outputs = {one["name"]: one for one in ask(url, "/v2/models/m/infer", {"inputs": tensors})["outputs"]}
        lines = ask(url, "/invocations", {"dataframe_split": frame})["predictions"]
        described, signature = ask(url, "/openapi.json"), ask(url, "/v2/models/m")
    assert [one["prediction"] for one in found] == told.prediction[:3].tolist()
    assert all(one["explanation"]["values"].keys() == set(columns) for one in found)
    assert outputs["prediction"]["data"] == told.prediction.tolist()
    assert np.allclose(outputs["probabilities"]["data"], told.probabilities.ravel(), atol=1e-12)
    assert lines == told.prediction.tolist()
    assert [one["name"] for one in signature["inputs"]] == list(feeds)
    assert any(one.keys() == set(columns) for one in properties(described))


def assert_kept(bundle: Bundle, columns: list[str]) -> None:
    """Find every column under its own name in all that a bundle keeps."""
    assert [column.name for column in bundle.manifest.schema.columns] == [*columns, "y"]
    cells = [one for one in bundle.shapes() if one.role == "feature" and not one.statistic]
    assert [one.source for one in cells] == columns
    reference, rows = bundle.reference(), bundle.reference_rows()
    assert reference is not None and rows is not None
    assert {column.source for column in reference.columns if column.role == "feature"} == set(columns)
    assert len({column.name for column in reference.columns}) == len(reference.columns)
    assert {f"input.{name}" for name in columns} <= rows.keys()
    assert all(one.passed for one in model.verify_bundle(bundle))
    stages = bundle.stages()
    assert stages is not None and set(stages.column_of) <= {model.input_name(name) for name in columns}


def assert_works(columns: list[str], folder: Path, family: str) -> None:
    bundle, rows = trained(table(columns), folder / family, family)
    assert_kept(bundle, columns)
    assert_served_as_told(bundle, rows)


@pytest.mark.parametrize("family", ["linear", "lightgbm"])
def test_the_names_of_the_house_and_strange_ones_stand_side_by_side(tmp_path: Path, family: str) -> None:
    assert_works([*HOUSE, *(name for name in STRANGE if name != "raw age")], tmp_path, family)


@pytest.mark.parametrize("columns", [["age", "raw age", "b"], [*PATTERNS, "ab"]], ids=["raw", "patterns"])
def test_a_name_is_no_expression(tmp_path: Path, columns: list[str]) -> None:
    assert_works(columns, tmp_path, "linear")


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(columns=names)
@example(columns=["features", "prediction", "probabilities"])
def test_any_few_names_work_together(tmp_path_factory: pytest.TempPathFactory, columns: list[str]) -> None:
    assert_works(columns, tmp_path_factory.mktemp("names"), "linear")


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(columns=names, family=st.sampled_from(["linear", "lightgbm", "forest"]))
def test_any_names_work_together(tmp_path_factory: pytest.TempPathFactory, columns: list[str], family: str) -> None:
    assert_works(columns, tmp_path_factory.mktemp("names"), family)


def test_a_whole_cycle_and_its_report_take_strange_names(tmp_path: Path) -> None:
    columns = ["features", "prediction", "<b>q</b>", "c:[d]{e}", "two\nlines", 'a,"b"', "probabilities", "‮abc"]
    table(columns, n_rows=240).write_parquet(tmp_path / "rows.parquet")
    flow.init(str(tmp_path / "rows.parquet"), target="y", folder=tmp_path / "p")
    toml = tmp_path / "p" / "palio.toml"
    text = toml.read_text("utf-8").replace("budget_s = 300", 'budget_s = 6\nfamilies = ["linear"]')
    toml.write_text(text, "utf-8")
    with flow.Project.open(tmp_path / "p") as project:
        summary = project.run()
        assert [one.family for one in summary.candidates if one.chosen] == ["linear"]
        scored = project.predict(str(tmp_path / "rows.parquet"), tmp_path / "out.csv")
    assert scored.n_rows == 240 and summary.champion is not None
    page = Path(summary.report).read_text("utf-8")
    assert "<b>q</b>" not in page and "&lt;b&gt;q&lt;/b&gt;" in page
