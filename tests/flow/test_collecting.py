"""Labelled answers turned back into rows: ids, moments, groups, and what the log must not be asked for."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import data, flow, model, renew, store
from palio.core.errors import RefusedError
from palio.flow import collecting, renewing
from tests.flow.served import BEGIN, send_truths
from tests.logs import write_log

FIRST = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def customers(n_rows: int, *, first: int = 0, seed: int = 0) -> pl.DataFrame:
    """Customers with an id, a birthday (an input), the moment of the contract (none) and missing cells."""
    rng = np.random.default_rng(seed)
    income = rng.normal(40, 12, n_rows).round(1)
    days = rng.integers(5_000, 25_000, n_rows)
    owns = rng.random(n_rows) < 0.4
    yes = rng.random(n_rows) < 1 / (1 + np.exp(-(income - 40) / 6 - owns))
    return pl.DataFrame(
        {
            "customer": [f"C{first + i:05d}" for i in range(n_rows)],
            "signed": [(FIRST + dt.timedelta(hours=first + i)).strftime("%Y-%m-%d %H:%M:%S") for i in range(n_rows)],
            "born": [(dt.date(1950, 1, 1) + dt.timedelta(days=int(d))).isoformat() for d in days],
            "income": [None if i % 17 == 0 else float(v) for i, v in enumerate(income)],
            "children": rng.integers(0, 5, n_rows),
            "owns": ["true" if own else "false" for own in owns],
            "region": [None if i % 23 == 0 else "nsew"[i % 4] for i in range(n_rows)],
            "y": ["yes" if one else "no" for one in yes],
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project that is cut by time, with an id."""
    folder = tmp_path_factory.mktemp("customers")
    customers(700).write_csv(folder / "customers.csv")
    flow.init(
        str(folder / "customers.csv"),
        target="y",
        folder=folder,
        id_column="customer",
        time="signed",
        exclude="signed",  # it orders the rows, and no model reads it: so no caller sends it
        name="customers",
    )
    settings = folder / "palio.toml"
    settings.write_text(
        settings.read_text("utf-8").replace("budget_s = 300", 'budget_s = 5\nfamilies = ["linear"]')
        + "\n[retrain]\nmin_labels = 1\n"
    )
    with flow.Project.open(folder) as opened:
        assert opened.run().decision.verdict == "yes"
        yield opened


def serve(
    project: flow.Project, frame: pl.DataFrame, request: str, *, at: dt.datetime = BEGIN, target: str = "y"
) -> None:
    """Log answers about rows, with their id as key, and send their truths."""
    file = project.folder / f"{request}.csv"
    frame.write_csv(file)
    bundle = project.bundle()
    schema = bundle.manifest.schema
    feeds = model.feeds_from_frame(
        pl.concat([one.frame for one in data.scan(data.open_source(str(file)), schema)]), schema
    )
    ids = [f"{request}-{i}.0" for i in range(frame.height)]
    inputs = {f"input.{c.name}": cells.ravel() for c, cells in zip(schema.features, feeds.values(), strict=True)}
    moments = np.datetime64(at.replace(tzinfo=None), "us") + np.arange(frame.height) * np.timedelta64(60, "s")
    columns = {"id": np.array(ids, object), "at": moments, "key": np.array(frame["customer"].to_list(), object)}
    write_log(store.Layout(project.folder).predictions(), project.name, columns | inputs, tag=request)
    send_truths(project, ids, frame[target].to_list())


def test_ids_moments_and_missing_cells_come_back(project: flow.Project) -> None:
    schema = project.bundle().manifest.schema
    assert schema.id == "customer" and schema.time == ("signed",)
    assert {column.name: column.type for column in schema.features}["born"] == "datetime"
    assert "signed" not in {column.name for column in schema.features}
    fresh = customers(60, first=5000, seed=1)
    known = customers(5).with_columns(y=pl.lit("yes"))  # the data holds these customers already
    serve(project, pl.concat([fresh, known]), "a")
    serve(project, fresh.head(7), "b", at=BEGIN + dt.timedelta(days=9))  # asked about again later
    request = renewing.plan(project, why="a test").request
    assert request is not None
    request = renew.write_plan(project.store, request).request
    rows, added = collecting.collect(project, request)
    assert (rows.n_rows, added.n_rows, rows.n_repeated) == (60, 60, 12)
    assert rows.notes == ("The moment of the answer stands for `signed`.",)
    back = pl.read_parquet(project.folder / rows.path).sort("customer")
    assert back["customer"].to_list() == fresh["customer"].to_list()
    assert back["born"].dt.strftime("%Y-%m-%d").to_list() == fresh["born"].to_list()
    assert back["income"].to_list() == fresh["income"].to_list()
    assert back["region"].to_list() == fresh["region"].to_list()
    assert back["owns"].to_list() == fresh["owns"].to_list() and back["y"].to_list() == fresh["y"].to_list()
    again = BEGIN + dt.timedelta(days=9)
    assert back["signed"].to_list()[:8] == [again + dt.timedelta(minutes=i) for i in range(7)] + [
        BEGIN + dt.timedelta(minutes=7)
    ]
    parts = project.split()
    assert parts.method == "time" and parts.counts["test"] > 60  # all of the newest rows are in the test
    renew.withdraw(project.store, project.name)


def test_numbers_that_were_predicted_come_back_as_numbers(tmp_path: Path) -> None:
    customers(400).drop("signed").with_columns(pl.col("income").fill_null(40.0)).write_csv(tmp_path / "people.csv")
    flow.init(str(tmp_path / "people.csv"), target="income", folder=tmp_path, id_column="customer", name="people")
    settings = tmp_path / "palio.toml"
    settings.write_text(settings.read_text("utf-8").replace("budget_s = 300", 'budget_s = 5\nfamilies = ["linear"]'))
    fresh = customers(40, first=900, seed=2).drop("signed").with_columns(pl.col("income").fill_null(40.0))
    with flow.Project.open(tmp_path) as project:
        assert project.run().decision.verdict == "yes"
        serve(project, fresh, "n", target="income")
        request = renewing.plan(project, why="a test").request
        assert request is not None
        rows, added = collecting.collect(project, renew.write_plan(project.store, request).request)
        back = pl.read_parquet(tmp_path / rows.path)
        assert added.n_rows == 40 and back["income"].to_list() == fresh["income"].to_list()


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ({"inputs": "hash"}, 'the prediction log holds no inputs ([log] inputs = "hash")'),
        ({"durability": "off"}, "holds no inputs"),
        ({"redact": ("income",)}, "does not hold `income` as it was"),
        ({"hash": ("region",)}, "does not hold `region` as it was"),
    ],
)
def test_what_the_log_does_not_hold_cannot_be_learned_from(
    project: flow.Project, log: dict[str, Any], why: str
) -> None:
    table = msgspec.structs.replace(project.config.log, **log)
    hidden = flow.Project(project.folder, msgspec.structs.replace(project.config, log=table), project.store)
    assert why in collecting.obstacle(hidden, project.bundle().manifest.schema)
    with pytest.raises(RefusedError, match=f"Nothing can be learned from what was served: .*{re.escape(why)}"):
        hidden.retrain(why="please")


def test_a_hashed_key_is_nobodys_id(project: flow.Project) -> None:
    table = msgspec.structs.replace(project.config.log, hash=("key",))
    hashed = flow.Project(project.folder, msgspec.structs.replace(project.config, log=table), project.store)
    gatherer = collecting.gatherer(hashed, collecting._newest(hashed))
    serve(project, customers(5, first=9_000, seed=3), "hashed", at=BEGIN + dt.timedelta(days=9))
    frames = gatherer.frames(received_before=dt.datetime(2100, 1, 1, tzinfo=dt.UTC), answered_before=None)
    ids = pl.concat([frame for frame, *_ in frames])["customer"]
    assert len(ids) >= 5 and ids.null_count() == len(ids)
