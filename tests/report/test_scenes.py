"""What a client reads and sees of boxes."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from palio.core.records import (
    ClassScore,
    Cue,
    Drawn,
    Fault,
    Finds,
    Gallery,
    Level,
    Metric,
    PictureReading,
    Place,
    Seen,
    Sight,
    SizeScore,
    Task,
    Transplant,
)
from palio.report import ReportFacts, thumbnails
from palio.report.page import render, summary
from palio.store import open_store

JPEG = b"\xff\xd8\xff\xe0 not looked into \xff\xd9"
PICTURE = "a" * 64


def share(value: float, n_rows: int = 100) -> Metric:
    return Metric(value=value, low=value - 0.03, high=value + 0.03, n_rows=n_rows)


def some_finds() -> Finds:
    return Finds(
        threshold=0.42,
        n_boxes=200,
        n_found=186,
        n_false=5,
        n_empty=20,
        n_empty_alarmed=1,
        n_unsure=6,
        found=share(0.93),
        alarmed=share(0.04),
        overlap=0.81,
        sizes=(SizeScore(size="small", n_boxes=20, found=share(0.6)),),
        faults=(
            Fault(kind="missed", n=9, n_pictures=7, cost=0.04),
            Fault(kind="background", n=4, n_pictures=4, cost=0.01),
            Fault(kind="double", n=0, n_pictures=0, cost=0.0),
        ),
        levels=(Level(threshold=0.5, found=0.9, false_alarms=0.03),),
    )


def some_boxes() -> tuple[Drawn, ...]:
    def box(kind: str, left: float, **more: object) -> Drawn:
        place = Place(left=left, top=0.4, right=left + 0.2, bottom=0.9)
        return Drawn(kind=kind, place=place, label="person<b>", **more)  # type: ignore[arg-type]

    return (
        box("right", 0.05, score=0.91),
        box("missed", 0.3, stands_out=True),
        box("alarm", 0.6, score=0.5),
        box("ignored", 0.79),
    )


@pytest.fixture
def seen(bank: ReportFacts) -> ReportFacts:
    task = Task(kind="detection", target="things", classes=("person<b>",), threshold=0.42)
    one = Seen(
        picture=PICTURE,
        row_id="1",
        truth="2 person<b>",
        prediction="2 person<b>",
        probability=0.91,
        sides=(640.0, 480.0),
        drawn=some_boxes(),
    )
    evaluation = msgspec.structs.replace(
        bank.evaluation,
        task=task,
        primary="ap",
        metrics={"ap": share(0.52), "ap50": share(0.9), "box_recall": share(0.93), "box_mistakes": share(0.2)},
        baseline={"ap": Metric(value=0.0, low=0.0, high=0.0, n_rows=100), "box_mistakes": share(2.0)},
        finds=some_finds(),
        per_class=(
            ClassScore(
                label="person<b>", n_rows=80, accuracy=share(0.93), precision=0.9, f1=0.9, n_boxes=200, ap=share(0.5)
            ),
        ),
        confusion=((186, 14), (5, 0)),
        curves=(),
        slices=(),
        sight=Sight(
            column="picture",
            reading=PictureReading(input="picture", size=320, fit="letterbox"),
            n_rows=100,
            galleries=(Gallery(kind="missed", n_rows=7, pictures=(one,)),),
            is_searched=False,
        ),
    )
    return msgspec.structs.replace(
        bank, task=task, evaluation=evaluation, pictures={PICTURE: JPEG}, cases="pictures", promotion=None
    )


def test_the_page_says_in_plain_words_how_much_is_found_and_how_often_wolf_is_cried(seen: ReportFacts) -> None:
    text = re.sub(r"<[^>]+>", "", render(seen)).replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", "")
    assert "Of 100 “person&lt;b&gt;” in the pictures, it finds 93 ± 3; it cries wolf in 4 ± 3 of 100 pictures." in text
    assert "186 of 200 were found, 14 missed" in text
    assert "6 of the missed are seen, but not surely enough" in text
    assert "Of 20 pictures with nothing to be found, 1 got a false alarm." in text
    assert "never shows a box" in text and "it finds 93 ± 3" in summary(seen)


def test_every_box_is_drawn_with_a_line_of_its_kind_and_what_the_client_wrote_is_no_markup(seen: ReportFacts) -> None:
    page = render(seen)
    drawing = re.search(r'<span class="shot scene">.*?</span>', page, re.S)
    assert drawing is not None
    kinds = re.findall(r'class="box (\w+)"', drawing[0])
    assert sorted(kinds) == ["alarm", "ignored", "missed", "right"]
    assert 'viewBox="0 0 640 480"' in drawing[0] and "<b>" not in drawing[0]
    left, top = re.findall(r'class="box right" x="([\d.]+)" y="([\d.]+)"', drawing[0])[0]
    assert (float(left), float(top)) == (32.0, 192.0)
    legend = re.search(r'<p class="legend">.*?</p>', page, re.S)
    assert legend is not None and len(re.findall(r'class="box \w+"', legend[0])) == 4


def test_errors_stand_with_what_they_cost_and_those_that_do_not_occur_are_left_out(seen: ReportFacts) -> None:
    page = render(seen)
    assert "+0.040" in page and "9 things in 7 pictures" in page
    assert "Said twice" not in page and "Not seen" in page
    assert "Nothing was found that many pictures of one class share" not in page


def test_a_picture_that_is_no_longer_kept_leaves_its_words(seen: ReportFacts) -> None:
    page = render(msgspec.structs.replace(seen, pictures={}))
    assert "no longer kept" in page and '<span class="shot scene">' not in page


def text_of(page: str) -> str:
    return re.sub(r"<[^>]+>", "", page).replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", "")


def test_classes_that_are_never_found_or_not_there_are_named(seen: ReportFacts) -> None:
    classes = ("cone", "wheel", "screen")
    shares = (share(0.93), Metric(value=0.0, low=0.0, high=0.4, n_rows=5), Metric(value=0, low=0, high=1, n_rows=0))
    scores = tuple(
        ClassScore(label=label, n_rows=n, accuracy=found, precision=0.0, f1=0.0, n_boxes=n)
        for label, n, found in zip(classes, (80, 5, 0), shares, strict=True)
    )
    task = msgspec.structs.replace(seen.task, classes=classes)
    evaluation = msgspec.structs.replace(seen.evaluation, task=task, per_class=scores, confusion=())
    text = text_of(render(msgspec.structs.replace(seen, task=task, evaluation=evaluation)))
    assert "It never finds “wheel” (of 5 boxes)." in text
    assert "Nothing in these pictures is “screen”: how well it finds it is not known." in text
    assert "never finds" not in text_of(render(seen))


def test_what_does_not_count_is_told_beside_a_picture(seen: ReportFacts) -> None:
    assert "there: 2 person&lt;b&gt;, and 1 that does not count" in text_of(render(seen))


def test_a_limit_of_a_figure_that_little_is_known_of_keeps_a_digit(seen: ReportFacts) -> None:
    rough = Metric(value=0.235, low=0.0479, high=0.65, n_rows=26)
    metrics = seen.evaluation.metrics | {"ap": rough}
    evaluation = msgspec.structs.replace(seen.evaluation, metrics=metrics)
    assert "stays below 0.048." in text_of(render(msgspec.structs.replace(seen, evaluation=evaluation)))


def test_an_example_of_a_ground_is_the_thing_as_it_is_on_the_ground_of_the_other_picture(
    seen: ReportFacts, tmp_path: Path
) -> None:
    store = open_store(tmp_path)
    grey, brown = np.full((90, 120, 3), 90, np.uint8), np.full((60, 60, 3), 160, np.uint8)
    grey[30:60, 40:80], brown[10:30, 10:30] = (20, 200, 20), (200, 20, 200)
    files = []
    for pixels in (grey, brown):
        file = BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        files.append(store.blobs.put(file.getvalue()))
    example = Transplant(
        picture=files[0],
        donor=files[1],
        places=(Place(left=1 / 3, top=1 / 3, right=2 / 3, bottom=2 / 3),),
        cleared=(Place(left=0.1, top=0.1, right=0.6, bottom=0.6),),
        prediction="",
    )
    cue = Cue(
        kind="background", label="tree", where="the ground", share_of_class=0.9, share_of_others=0.0, n_tried=20,
        n_moved=1, n_control=1, push=0.4, p_value=1e-9, examples=(example,), countermeasure="",
    )  # fmt: skip
    sight = seen.evaluation.sight
    assert sight is not None
    evaluation = msgspec.structs.replace(seen.evaluation, sight=msgspec.structs.replace(sight, cues=(cue,)))
    shown = np.asarray(Image.open(BytesIO(thumbnails(store.blobs, evaluation, None)[example.name])))
    store.close()
    high, wide = shown.shape[:2]
    assert wide / high == pytest.approx(120 / 90, rel=0.02)
    inside = shown[high * 2 // 5 : high * 3 // 5, wide * 2 // 5 : wide * 3 // 5].reshape(-1, 3)
    assert np.abs(inside.mean(axis=0) - (20, 200, 20)).max() < 12
    around = np.concatenate([shown[: high // 4].reshape(-1, 3), shown[-high // 4 :].reshape(-1, 3)])
    assert np.abs(around.astype(int) - 160).max() < 25  # nothing is left of what stood there
