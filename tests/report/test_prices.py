from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from palio.report.charts import BOTTOM, HEIGHT, LEFT, WIDTH
from palio.report.prices import LETTER, LINE, Dot, chart


def dot(
    name: str, ms: float, score: float, mb: float = 1.0, *, is_unbeaten: bool = True, is_chosen: bool = False
) -> Dot:
    return Dot(name, ms, score, mb, is_unbeaten, is_chosen)


CROWD = [
    dot("mix of models", 0.42, 0.9288, 4.2, is_chosen=True),
    dot("pruned mix", 0.2, 0.9286, 1.9),
    dot("CatBoost", 0.09, 0.9287, 0.5),
    dot("LightGBM", 0.11, 0.9284, 0.9, is_unbeaten=False),
    dot("XGBoost", 0.13, 0.9281, 0.8, is_unbeaten=False),
    dot("linear model", 0.021, 0.907, 0.012),
    dot("nearest neighbours", 0.21, 0.89, 0.9, is_unbeaten=False),
]


def names(drawn: object) -> dict[str, tuple[float, float]]:
    """Name → where its middle stands."""
    found = ET.fromstring(str(drawn)).iter("{http://www.w3.org/2000/svg}text")
    return {
        str(one.text): (float(one.attrib["x"]), float(one.attrib["y"]))
        for one in found
        if "dot-name" in one.attrib["class"]
    }


def test_what_nothing_beats_is_named_and_no_name_lies_on_another() -> None:
    found = names(chart(CROWD, quality="ROC AUC"))
    assert {one.name for one in CROWD if one.is_unbeaten} <= set(found)
    boxes = [(x - LETTER * len(n) / 2, x + LETTER * len(n) / 2, y - LINE, y) for n, (x, y) in found.items()]
    for place, (left, right, top, bottom) in enumerate(boxes):
        assert left >= LEFT - 1 and right <= WIDTH + 1 and bottom <= HEIGHT - BOTTOM + 1
        for other in boxes[place + 1 :]:
            assert right <= other[0] or other[1] <= left or bottom <= other[2] or other[3] <= top


def test_the_area_of_a_dot_grows_with_the_graph() -> None:
    drawn = str(chart([dot("small", 0.1, 0.9, 0.1), dot("large", 0.2, 0.92, 10.0)], quality="ROC AUC"))
    large, small = (float(radius) for radius in re.findall(r'r="([\d.]+)"', drawn))
    assert large > 2 * small


def test_the_chart_says_in_words_what_it_shows() -> None:
    drawn = str(chart(CROWD, quality="ROC AUC"))
    assert "Not beaten: mix of models: 0.929, 0.42 ms, 4.2 MB" in drawn
    assert "LightGBM: 0.928" not in drawn


@pytest.mark.parametrize(
    "dots",
    [
        [],
        [dot("one", 0.1, 0.9)],
        [dot("one", 0.1, 0.9), dot("unknown", 0.1, math.nan)],
        [dot("one", 0.1, 0.9), dot("no time", 0.0, 0.9)],
    ],
)
def test_without_two_to_compare_there_is_no_chart(dots: list[Dot]) -> None:
    assert chart(dots, quality="ROC AUC") is None


def test_equal_candidates_are_drawn() -> None:
    alike = [dot("a", 0.1, 0.9, 0.0), dot("b", 0.1, 0.9, 0.0)]
    assert set(names(chart(alike, quality="ROC AUC"))) == {"a", "b"}
