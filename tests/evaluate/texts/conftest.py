"""Made texts of which it is known what tells the classes apart, and real models of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from palio import model
from palio.core.records import Column, Schema, Task, Wording
from palio.evaluate import texts
from palio.evaluate.answers import answer, known_rows
from palio.evaluate.texts import Looked
from palio.model import Bundle
from palio.store import open_store
from palio.train import Examples
from palio.train.family import graph_of
from palio.train.table import load_family
from tests.evaluate.pictures.manifests import manifest_of

Array = npt.NDArray[Any]
SCHEMA = Schema(
    columns=(Column(name="note", type="text"), Column(name="kind", type="category", feature=False)), target="kind"
)
FILLER = "the a of and to in that it for on with as at by from this they we had there then when some".split()  # noqa: SIM905
SUBJECTS = {
    "garden": "rose soil seed leaf root prune bloom tulip hedge lawn weed compost mulch petal shrub".split(),  # noqa: SIM905
    "harbour": "ship sail anchor tide crew deck mast cargo rope dock buoy port hull wave captain".split(),  # noqa: SIM905
}
Write = Callable[[str, str, np.random.Generator], str]
"""Changes a text of a class."""


def subjects(n: int, rng: np.random.Generator, write: Write | None = None) -> pl.DataFrame:
    """Make texts of two subjects, fifteen words each, six of which say what it is."""
    names = sorted(SUBJECTS)
    rows = []
    for at in range(n):
        kind = names[at % 2]
        words = [*rng.choice(SUBJECTS[kind], 6), *rng.choice(FILLER, 9)]
        text = " ".join(rng.permutation(words)).capitalize() + "."
        rows.append((text if write is None else write(text, kind, rng), kind))
    return pl.DataFrame(rows, schema=["note", "kind"], orient="row")


@dataclass
class Desk:
    """Rows to learn from and to judge, and a model of them."""

    learned: pl.DataFrame
    judged: pl.DataFrame
    bundle: Bundle
    task: Task

    def looked(self, *, deadline: float | None = None) -> Looked:
        frame, truth = known_rows(self.judged, self.task)
        said = answer(self.bundle, frame, task=self.task)
        found = texts.opened(self.bundle, frame, truth, said, task=self.task, deadline=deadline)
        assert found is not None
        return found

    def wording(self, *, deadline: float | None = None) -> Wording:
        learned = known_rows(self.learned, self.task)
        return texts.wordings(self.looked(deadline=deadline), learned=learned)[0]


Desks = Callable[..., Desk]


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    store = open_store(Path(tmp_path_factory.mktemp("desk")))

    def make(learned: pl.DataFrame, judged: pl.DataFrame, family: str = "words", **params: Any) -> Desk:
        classes = tuple(sorted(set(learned.get_column("kind").to_list())))
        task = Task(kind="classification", target="kind", classes=classes, positive=classes[1], metric="log_loss")
        frame, truth = known_rows(learned, task)
        how, examples = load_family(family), Examples(frame, truth, SCHEMA, task)
        settings = {**how.defaults(examples.shape, task)[0], **params}
        graph = model.Graph(graph_of(how.fit(examples, params=settings, seed=0), SCHEMA, task))
        manifest = manifest_of(graph, task, SCHEMA, family=family)
        bundle = Bundle(id="0" * 64, manifest=manifest, graph=graph, members={}, blobs=store.blobs)
        return Desk(learned, judged, bundle, task)

    yield make
    store.close()
