"""Pictures on the page: the pictures themselves, what was said of them, and what the model goes by."""

from __future__ import annotations

import re

import msgspec
import pytest

from palio.core.records import Cue, Gallery, PictureReading, Place, Seen, Sheet, Sight, Strain, Transplant
from palio.report import ReportFacts
from palio.report.page import render, summary
from palio.report.words import named

JPEG = b"\xff\xd8\xff\xe0 not looked into \xff\xd9"
ANT, BEE = "a" * 64, "b" * 64


def a_sight() -> Sight:
    seen = Seen(
        picture=ANT,
        row_id="1",
        truth="ants",
        prediction="bees",
        probability=0.91,
        saliency=((0.0, 0.4), (0.01, 0.0)),
    )
    gone = Seen(picture="c" * 64, row_id="2", truth="bees", prediction="bees", probability=0.6)
    place = Place(left=0.0, top=0.0, right=0.25, bottom=0.25)
    cue = Cue(
        kind="place",
        label="ants<script>",
        where="the top left",
        places=(place,),
        share_of_class=0.85,
        share_of_others=0.0,
        n_tried=60,
        n_moved=41,
        n_control=2,
        push=0.4,
        p_value=1e-9,
        n_with=50,
        n_with_right=49,
        n_without=10,
        n_without_right=3,
        carriers=(ANT,),
        examples=(Transplant(picture=BEE, donor=ANT, places=(place,), prediction="ants"),),
        countermeasure="Bring ants without it, and train again.",
    )
    strain = Strain(change="as they are", level="", score=0.9, low=0.85, high=0.95, n_changed=0, statistics={})
    blurred = msgspec.structs.replace(
        strain, change="blur", level="2 pixels", score=0.7, low=0.6, high=0.8, n_changed=9
    )
    return Sight(
        column="picture",
        reading=PictureReading(input="picture", size=32),
        n_rows=100,
        galleries=(
            Gallery(kind="surely_wrong", n_rows=12, pictures=(seen,)),
            Gallery(kind="right", n_rows=1, pictures=(gone,)),
        ),
        sheets=(Sheet(column="look", condition="dark (group 1)", pictures=(BEE,)),),
        cues=(cue,),
        n_tries=1,
        strains=(strain, blurred),
    )


@pytest.fixture
def looked(bank: ReportFacts) -> ReportFacts:
    evaluation = msgspec.structs.replace(bank.evaluation, sight=a_sight())
    return msgspec.structs.replace(
        bank, evaluation=evaluation, pictures={ANT: JPEG, BEE: JPEG, f"{BEE}+{ANT}": JPEG}, cases="pictures"
    )


def test_the_page_shows_pictures_and_loads_nothing_else(looked: ReportFacts) -> None:
    page = render(looked)
    sources = re.findall(r'<img src="([^"]*)"', page)
    assert len(sources) >= 5
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "img-src data:" in page
    assert "no longer kept" in page
    assert "<script" not in page


def test_a_cue_is_told_in_numbers_with_what_to_do(looked: ReportFacts) -> None:
    page = render(looked).replace("\u00a0", " ")
    assert "Of 60 pictures of other classes, 41 are called" in page
    assert "with the same part of another picture of their own class: 2" in page
    assert "49 of 50 are recognised; without it, 3 of 10" in page
    assert "Bring ants without it, and train again." in page
    assert "41 are called" in summary(looked)


def on_grounds(looked: ReportFacts, **changes: object) -> ReportFacts:
    """Return the report of a model that knows things by their ground."""
    sight = looked.evaluation.sight
    assert sight is not None
    (cue,) = sight.cues
    found = {"kind": "background", "where": "the ground", "n_things": 80, "n_found_there": 71, "n_found_elsewhere": 20}
    example = msgspec.structs.replace(cue.examples[0], prediction="")
    cue = msgspec.structs.replace(cue, examples=(example,), **(found | changes))
    sight = msgspec.structs.replace(sight, cues=(cue,))
    return msgspec.structs.replace(looked, evaluation=msgspec.structs.replace(looked.evaluation, sight=sight))


def test_a_ground_is_told_by_what_is_lost_elsewhere_and_what_is_seen_on_it(looked: ReportFacts) -> None:
    page = render(on_grounds(looked)).replace("\u00a0", " ")
    assert "the ground that it stands on" in page
    assert "boxes, 71 are found on the ground of another picture with" in page
    assert "20 on the ground of a picture without it." in page
    assert "one is shown in 41 of them (on another ground: 2)." in page
    assert "is not found" in page
    assert "71 are found" in summary(on_grounds(looked))


def test_a_ground_that_nothing_hangs_on_is_not_accused(looked: ReportFacts) -> None:
    page = render(on_grounds(looked, moves=False)).replace("\u00a0", " ")
    assert "The boxes hardly hang on it so far" in page
    assert "It knows" not in page


def test_the_answer_hangs_on_tinted_patches_alone(looked: ReportFacts) -> None:
    assert render(looked).count('class="hot"') == 1


def test_what_hurts_most_is_named(looked: ReportFacts) -> None:
    assert "What hurts most: out of focus by 2 pixels." in render(looked).replace("\u00a0", " ")


def test_a_page_without_pictures_allows_none(bank: ReportFacts) -> None:
    page = render(bank)
    assert "img-src" not in page
    assert 'id="pictures"' not in page


@pytest.mark.parametrize(
    ("column", "condition", "said"),
    [
        ("picture.sharpness", "at least 4.5", "sharp pictures: sharpness at least 4.5"),
        ("picture.pixels", "below 11.5", "small pictures: pixels below 99,000"),
        ("look", "dark and cold (group 2)", "pictures that look dark and cold (group 2)"),
        ("folder", "= studio", "folder = studio"),
    ],
)
def test_slices_of_pictures_are_named_as_a_person_would(column: str, condition: str, said: str) -> None:
    assert named(column, condition) == said


@pytest.mark.parametrize(("primary", "up"), [("roc_auc", 1), ("accuracy", 1), ("log_loss", -1), ("brier", -1)])
def test_what_hurts_is_known_whichever_way_the_metric_goes(looked: ReportFacts, primary: str, up: int) -> None:
    sight = looked.evaluation.sight
    assert sight is not None
    for way, hurts in ((-1, True), (1, False)):
        changed = 0.5 + 0.3 * up * way
        scores = {"as they are": (0.5, 0.45, 0.55), "noise": (changed, changed - 0.05, changed + 0.05)}
        strains = tuple(
            Strain(change=name, level="", score=score, low=low, high=high, n_changed=0, statistics={})
            for name, (score, low, high) in scores.items()
        )
        evaluation = msgspec.structs.replace(
            looked.evaluation, primary=primary, sight=msgspec.structs.replace(sight, strains=strains)
        )
        page = render(msgspec.structs.replace(looked, evaluation=evaluation)).replace("\u00a0", " ")
        assert ("What hurts most: noise" in page) is hurts
        assert ("None of these changes hurts beyond chance." in page) is not hurts


def test_a_search_for_cues_without_time_does_not_pass_for_one(looked: ReportFacts) -> None:
    sight = looked.evaluation.sight
    assert sight is not None
    cut = msgspec.structs.replace(sight, cues=(), is_searched=False)
    page = render(msgspec.structs.replace(looked, evaluation=msgspec.structs.replace(looked.evaluation, sight=cut)))
    assert "Not known: the time was over" in page
