from __future__ import annotations

import subprocess
import sys

import pytest

from palio import train
from palio.core.errors import InputError
from palio.train.table import load_family


def test_every_family_is_found_under_its_name() -> None:
    assert all(load_family(name).name == name for name in train.FAMILIES)


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean `forest`"):
        load_family("forrest")


def test_importing_the_room_loads_no_heavy_library() -> None:
    code = (
        "import sys, palio.train; print([m for m in ('sklearn', 'lightgbm', 'optuna', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


_TABLE = """
import sys
from palio import model
from palio.testing.examples import TASKS, examples_of
from palio.train.entrants import entrants_of
from palio.train.family import graph_of

examples = examples_of(TASKS["two classes"])
entrants = entrants_of((), examples.task, examples.schema)
family = next(one for one in entrants if one.name == "linear")
params = family.defaults(examples.shape, examples.task)[0]
graph = graph_of(family.fit(examples, params=params, seed=0), examples.schema, examples.task)
model.Graph(graph).predict(examples.feeds())
print([name for name in ("torch", "transformers", "tokenizers", "safetensors", "PIL") if name in sys.modules])
"""


def test_who_works_with_tables_loads_nothing_that_networks_and_pictures_need() -> None:
    done = subprocess.run([sys.executable, "-c", _TABLE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_families_of_networks_are_found_without_loading_what_they_need() -> None:
    code = (
        "import sys; from palio.train.table import PICTURE_FAMILIES, TEXT_NETWORKS, load_family;"
        "names = [load_family(name).name for name in (*PICTURE_FAMILIES, *TEXT_NETWORKS)];"
        "print(names, [name for name in ('torch', 'transformers', 'tokenizers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "['features', 'zero_shot', 'hog', 'finetune', 'cnn', 'textcnn', 'lstm', 'encoder'] []"
    )
