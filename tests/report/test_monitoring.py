"""The page of a model that is watched: every state renders, loads nothing, lies nowhere, and stays small."""

from __future__ import annotations

import datetime as dt
import math
import re
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest

from palio import report
from palio.core.monitoring import Review
from palio.report import remedies, watched
from palio.report.timelines import Span, marks_of, moments, runs

from . import reviews

FORBIDDEN = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "foreignobject", "a:http"}
BLOCKS = {"p", "li", "td", "th", "h1", "h2", "h3", "dt", "dd", "figcaption", "title", "desc", "tr", "small"}


@pytest.fixture(scope="module", params=reviews.WORLDS)
def world(request: pytest.FixtureRequest) -> tuple[str, Review, str]:
    made = reviews.WORLDS[request.param]()
    return request.param, made, page_of(made)


def page_of(review: Review, **more: str) -> str:
    named = {"name": "term-deposit", "currency": "EUR", "cases": "customers"} | more
    return report.monitoring_page(review, **named, promotions=reviews.promotions(review))


class Reader(HTMLParser):
    """Collects tags and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._styled = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._styled = tag == "style"
        self.text += "\n" if tag in BLOCKS else ""

    def handle_endtag(self, tag: str) -> None:
        self._styled = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._styled else data.replace("\u00a0", " ")


def text_of(review: Review) -> str:
    return Reader(page_of(review)).text


# ── every state ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_loads_nothing_and_runs_nothing(world: tuple[str, Review, str]) -> None:
    for tag, attributes in Reader(world[2]).tags:
        assert tag not in FORBIDDEN
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in {"src", "srcset", "action", "data", "xlink:href"}
            assert name != "href" or (value or "").startswith("#")
    assert "url(" not in world[2]
    assert "@import" not in world[2]
    assert set(re.findall(r"https?://[^\"<\s]*", world[2])) <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in world[2]


def test_the_page_is_well_formed_and_every_drawing_is_named(world: tuple[str, Review, str]) -> None:
    root = ET.fromstring(bare(world[2]))
    svg = "{http://www.w3.org/2000/svg}"
    drawings = [d for d in root.iter(f"{svg}svg") if d.get("role") == "img"]
    hidden = [d for d in root.iter("{http://www.w3.org/2000/svg}svg") if d.get("aria-hidden") == "true"]
    inner = [child for d in drawings for child in d.iter(f"{svg}svg") if child is not d]
    assert len(drawings) + len(hidden) + len(inner) == len(list(root.iter(f"{svg}svg")))
    for drawing in drawings:
        assert [child.tag for child in drawing][:2] == [f"{svg}title", f"{svg}desc"]
        assert drawing[0].text


def test_no_figure_that_is_not_known_reaches_a_drawing_or_a_reader(world: tuple[str, Review, str]) -> None:
    for mark in re.findall(r"<(?:path|rect|line|circle|text)[^>]*>", world[2]):
        assert not re.search(r"\b(nan|inf)\b", mark), mark
    assert not re.search(r"\b(None|nan|inf)\b", Reader(world[2]).text)


def test_ids_are_unique_and_links_lead_somewhere(world: tuple[str, Review, str]) -> None:
    tags = Reader(world[2]).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tags:
        if (href := attributes.get("href")) is not None:
            assert href[1:] in ids


def test_a_reader_of_the_structure_finds_one_title_and_headings_in_order(world: tuple[str, Review, str]) -> None:
    tags = Reader(world[2]).tags
    names = [tag for tag, _ in tags]
    assert names.count("h1") == names.count("main") == 1
    levels = [int(tag[1]) for tag in names if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert dict(tags[0][1]).get("lang") == "en"
    for tag, attributes in tags:
        if tag == "th":
            assert attributes.get("scope") in ("col", "row")
        if "scroll" in (attributes.get("class") or ""):  # whoever has no mouse must be able to scroll it
            assert attributes.get("tabindex") == "0"
            assert attributes.get("aria-label")


def test_equal_reviews_give_equal_bytes(world: tuple[str, Review, str]) -> None:
    assert page_of(world[1]) == world[2]


def test_the_verdict_is_on_top_with_what_to_do(world: tuple[str, Review, str]) -> None:
    text = Reader(world[2]).text
    head = text[: text.index("Watched:")]
    assert watched.STATES[world[1].verdict] in head
    assert "What to do:" in head
    assert remedies.next_steps(world[1])[0].do[:40] in head


def bare(page: str) -> str:
    page = page.replace("<!doctype html>", "")
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return re.sub(r"<meta[^>]*>", "", page)


# ── what the states say ─────────────────────────────────────────────────────────────────────────────────────────────


def test_hostile_texts_are_shown_as_texts() -> None:
    page = report.monitoring_page(
        reviews.hostile(), name=reviews.HOSTILE[1], currency=reviews.HOSTILE[0], cases=reviews.HOSTILE[3]
    )
    text = Reader(page).text
    assert "<script>alert(1)</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert "[red]markup[/red]" in text
    for hidden in ("\u202e", "\x00", "\x1b", "\ufffe"):
        assert hidden not in page


def test_fallen_quality_is_told_with_its_value_alerts_and_remedies() -> None:
    text = text_of(reviews.fallen())
    for told in (
        "Act now",
        "0.713",
        "Open alerts",
        "EUR a day",
        "“age” is distributed otherwise",
        "Retrain nothing for what came of “rate”: quality fell while it was broken.",
        "version 3 went live (14 March)",
        "job = student",
        "at most 1 of 100 such looks",
    ):
        assert told in text, told


def test_broken_input_is_mended_before_anything_is_retrained() -> None:
    steps = [one.do for one in remedies.next_steps(reviews.fallen())]
    assert steps[0].startswith("Check the unit of “rate”")
    assert steps[1].startswith("Retrain")


def test_columns_that_moved_are_one_step_not_many() -> None:
    steps = [one.do for one in remedies.next_steps(reviews.wide(20, 100))]
    assert len(steps) == 1
    assert "and 22 more" in steps[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty", "Nothing was answered in this time."),
        ("few_rows", "it holds 54 rows; 200 are needed."),
        ("old_bundle", "The inputs cannot be compared with training"),
        ("no_labels", "No truths have come yet, so real quality is not known."),
        ("unripe", "Truths are still coming for 5 windows"),
        ("multiclass", "What this is worth is not known."),
    ],
)
def test_what_cannot_be_said_is_said_with_what_would_change_it(name: str, said: str) -> None:
    review = reviews.WORLDS[name]()
    assert said in text_of(review)
    assert all(one.do and one.why for one in remedies.silences(review))


def test_rows_that_are_in_no_window_are_told() -> None:
    told = msgspec.structs.replace(reviews.WORLDS["good"](), n_ahead=3, strangers={"f" * 64: 20})
    said = " ".join(one.do for one in remedies.silences(told))
    assert "3 rows of the log bear a moment still to come" in said
    assert "20 rows were answered by bundles" in said and "f" * 12 in said and "f" * 13 not in said


def test_answers_that_are_compared_with_few_rows_are_said_to_hide_small_changes() -> None:
    review = reviews.good()
    few = " ".join(one.do for one in remedies.silences(msgspec.structs.replace(review, n_scored=20)))
    assert "Only large changes of the answers are seen: there are 20 rows to compare them with." in few
    for n_scored in (0, 2_000):
        many = remedies.silences(msgspec.structs.replace(review, n_scored=n_scored))
        assert not [one for one in many if "large changes" in one.do]


def test_a_model_of_which_all_is_known_has_no_silences() -> None:
    whole = reviews.World(labels_until=40).made("good", "All is well.")
    windows = tuple(msgspec.structs.replace(one, is_ripe=True) for one in whole.windows)
    assert remedies.silences(msgspec.structs.replace(whole, windows=windows)) == []
    assert "What cannot be said" not in text_of(msgspec.structs.replace(whole, windows=windows))


def test_a_good_model_needs_nothing_and_shows_what_came_nearest_to_moving() -> None:
    text = text_of(reviews.good())
    assert "No alert is open" in text
    assert "Nothing needs to be done." in text
    assert "No column moved; these came nearest to it" in text


def test_real_quality_is_taken_from_the_newest_window_whose_truths_are_ripe() -> None:
    review = reviews.fallen()
    quality = watched.quality(review, "roc_auc")
    ripe = [w for w in watched.in_charge(review) if w.is_ripe and w.outcomes]
    assert quality.real == watched.outcome(ripe[-1], "roc_auc")
    assert quality.real_at == "26 March"
    assert quality.estimate_at == "31 March"


def test_a_challenger_on_trial_is_not_taken_for_the_champion() -> None:
    review = reviews.drifting()
    assert {w.version for w in watched.in_charge(review)} == {review.version}
    assert "a challenger on trial" in text_of(review)


def test_every_kind_of_finding_has_a_name_and_a_remedy() -> None:
    from typing import get_args

    from palio.core.monitoring import FindingKind

    base = reviews.World()
    for kind in get_args(FindingKind):
        review = base.made("look", "Look.", {"kind": kind, "subject": "age", "severity": "warn"})
        assert kind in watched.KINDS
        assert remedies.next_steps(review)[0].do.endswith((".", "?"))


def test_effects_speak_their_own_measure() -> None:
    found = {f.kind: watched.effect(f) for f in reviews.fallen().findings}
    assert found["value"] == "−202 EUR a day"
    assert found["quality"] == "−0.088"
    assert found["drift"] == "PSI 0.93"
    assert found["concept_drift"] == "6 % of the rows"


def test_the_false_alarm_rate_is_said_in_round_numbers() -> None:
    r, review = msgspec.structs.replace, reviews.good()
    assert "at most 1 of 100 such looks" in watched.false_alarms(review)
    assert "at most 5 of 1,000 such looks" in watched.false_alarms(r(review, false_alarm_rate=0.005))
    assert "not known" in watched.false_alarms(r(review, false_alarm_rate=math.nan))
    assert "once in 2 years" in watched.false_alarms(reviews.fallen())


# ── time lines ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_gap_in_time_breaks_the_line() -> None:
    windows = watched.all_rows(reviews.regression())
    found = [run for run in runs(windows, lambda w: w.n_rows > 0) if run[0].version == 2]
    assert [len(run) for run in found] == [9]
    only = reviews.World(version_since=0, gap=(5, 9)).windows()
    assert [len(run) for run in runs(only, lambda _: True)] == [5, 21]


def test_versions_are_marked_from_the_ledger_or_else_by_their_first_answer() -> None:
    review = reviews.fallen()
    assert [m.text for m in marks_of(review, ())] == ["v3"]
    assert "began to answer" in marks_of(review, ())[0].title
    marked = marks_of(review, reviews.promotions(review))
    assert [m.title for m in marked] == ["version 3 went live"]
    assert marked[0].at.hour == 9


@pytest.mark.parametrize("hours", [1, 5, 24, 72, 500, 9000, 200_000])
def test_moments_are_few_inside_and_differ(hours: int) -> None:
    since = dt.datetime(2026, 2, 27, 13, 37, tzinfo=dt.UTC)
    span = Span(since, since + dt.timedelta(hours=hours))
    found = moments(span)
    assert 0 < len(found) <= 7 or hours == 1
    assert all(span.since <= at <= span.until for at, _ in found)
    assert len({text for _, text in found}) == len(found)


# ── size and time ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_four_hundred_windows_of_a_hundred_columns_stay_below_400_kb() -> None:
    assert len(page_of(reviews.wide(400, 100)).encode()) < 400_000


def test_four_hundred_windows_of_a_hundred_columns_take_less_than_a_second() -> None:
    review = reviews.wide(400, 100)
    page_of(review)
    started = time.process_time()
    page_of(review)
    assert time.process_time() - started < 1.0


def test_thousands_of_columns_and_findings_are_cut_and_counted() -> None:
    text = text_of(reviews.wide(3, 1000))
    assert "801 more columns moved less." in text
    assert "190 more findings matter less." in text


def test_a_saved_page_is_whole_and_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = report.save(tmp_path / "new" / "monitoring.html", page_of(reviews.good()))
    assert [one.name for one in path.parent.iterdir()] == ["monitoring.html"]
    assert path.read_text("utf-8").endswith("</html>")
