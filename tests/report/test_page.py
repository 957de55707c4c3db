"""The page: complete, self-contained, safe, true to the records."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from palio import report
from palio.core.errors import InputError
from palio.core.records import Criteria
from palio.report import ReportFacts
from palio.report.page import render

from .conftest import a_curve, a_run

EVERYONE = ("bank", "challenged", "refused", "flowers", "flats", "bare", "hostile")


@pytest.fixture(params=EVERYONE)
def facts(request: pytest.FixtureRequest) -> ReportFacts:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, ReportFacts)
    return found


class Reader(HTMLParser):
    """Collects tags, attributes and the `data` elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.figures: list[tuple[dict[str, str | None], str]] = []
        self._open: dict[str, str | None] | None = None
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "data":
            self._open = dict(attrs)

    def handle_data(self, data: str) -> None:
        data = data.replace("\u00a0", " ")
        self.text += data
        if self._open is not None:
            self.figures.append((self._open, data))
            self._open = None


def test_write_makes_folders_and_returns_where_the_file_is(bank: ReportFacts, tmp_path: Path) -> None:
    path = report.write(tmp_path / "a" / "report.html", facts=bank)
    assert path == tmp_path / "a" / "report.html"
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_equal_facts_give_equal_bytes(facts: ReportFacts) -> None:
    assert render(facts) == render(facts)


def test_a_path_that_cannot_be_written_is_a_clear_error(bank: ReportFacts, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        report.write(tmp_path / "file" / "report.html", facts=bank)


def test_the_page_loads_nothing_and_runs_nothing(facts: ReportFacts) -> None:
    page = render(facts)
    for tag, attributes in Reader(page).tags:
        assert tag not in {
            "script",
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "base",
            "form",
            "image",
            "foreignobject",
        }
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in {"src", "srcset", "action", "data", "xlink:href"}
            assert name != "href" or (value or "").startswith("#")
    assert "url(" not in page
    assert "@import" not in page
    assert set(re.findall(r"https?://[^\"<\s]*", page)) <= {"http://www.w3.org/2000/svg"}


def test_every_drawing_is_well_formed_and_says_what_it_shows(facts: ReportFacts) -> None:
    drawings = re.findall(r"<svg.*?</svg>", render(facts), flags=re.S)
    for drawing in drawings:
        root = ET.fromstring(drawing)
        names = [child.tag.rpartition("}")[2] for child in root]
        assert names[:2] == ["title", "desc"]
        assert root[0].text
        assert not re.search(r'"[^"]*\b(nan|inf)\b[^"]*"', drawing), drawing


def test_the_tags_of_the_page_are_balanced(facts: ReportFacts) -> None:
    page = render(facts).replace("<!doctype html>", "")
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    page = re.sub(r"<meta[^>]*>", "", page)
    ET.fromstring(page)


def test_every_metric_of_the_record_is_in_the_page_with_its_exact_value(facts: ReportFacts) -> None:
    shown = {a["data-metric"]: (a["value"], text) for a, text in Reader(render(facts)).figures if "data-metric" in a}
    assert set(shown) == set(facts.evaluation.metrics)
    for name, metric in facts.evaluation.metrics.items():
        assert shown[name][0] == str(metric.value)


def test_every_figure_that_is_shown_is_the_rounded_record(facts: ReportFacts) -> None:
    for attributes, text in Reader(render(facts)).figures:
        exact = float(attributes["value"] or "nan")
        match = re.search(r"[−+]?[\d,]+(\.\d+)?", text)
        if match is None:
            assert text == "not known"
            continue
        said = float(match.group().replace(",", "").replace("−", "-"))
        places = len(match.group(1) or ".") - 1
        nearest = min(abs(said - exact), abs(said - exact * 100))
        arm = re.search(r"± ([\d,.]+)", text)
        room = max(0.51 * 10.0**-places, float(arm.group(1).replace(",", "")) if arm else 0.0, abs(said) * 0.005)
        is_count = exact >= 1 and float(exact).is_integer()
        assert is_count or nearest <= room, (attributes, text)


def test_the_three_key_numbers_of_a_two_class_task_are_natural_frequencies(bank: ReportFacts) -> None:
    text = Reader(render(bank)).text
    assert "Of 100 customers it marks “yes”, 61 ± 4 really are." in text
    assert "Of 100 customers that really are “yes”, it finds 25 ± 3." in text
    assert "Picked blindly, 12 of 100 would be." in text


def test_a_regression_speaks_the_unit_of_its_target(flats: ReportFacts) -> None:
    text = Reader(render(flats)).text
    assert "Half of the predictions are within" in text
    assert "30,500 ± 800 USD" in text
    assert "Prediction against truth" in text
    assert "14 July 2017 to 13 September 2020" in text


def test_a_challenger_shows_what_changed_and_what_it_is_worth(challenged: ReportFacts) -> None:
    text = Reader(render(challenged)).text
    assert "The new model is clearly better than the one before, and is now live as version 3." in text
    assert "214 of 9,042 customers (2 %) now get another answer" in text
    assert "EUR 120 ± 60 per day" in text
    assert "Live: version 3" in text


def test_a_refused_challenger_is_not_sold_as_a_success(refused: ReportFacts) -> None:
    text = Reader(render(refused)).text
    assert "should not replace the one in use: 1 of 3 checks failed" in text
    assert "20 ms are allowed" in text
    assert "Live" not in text


def test_hostile_texts_are_shown_as_texts(hostile: ReportFacts) -> None:
    page = render(hostile)
    reader = Reader(page)
    assert "<script>alert(1)</script>" in reader.text
    assert "{{ 7 * 7 }}" in reader.text
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "\x1b" not in page


def test_what_was_not_measured_is_left_out(bare: ReportFacts) -> None:
    text = Reader(render(bare)).text
    for absent in ("None", "nan", "What drives it", "Candidates", "What changed"):
        assert absent not in text


@pytest.mark.parametrize(
    "field",
    ["description", "search", "manifest", "champion_evaluation", "comparison", "decision", "promotion", "looks_used"],
)
def test_each_optional_record_may_be_missing(challenged: ReportFacts, field: str) -> None:
    import msgspec

    text = Reader(render(msgspec.structs.replace(challenged, **{field: None}))).text
    assert "None" not in text


def test_the_summary_says_the_same_in_plain_text(bank: ReportFacts) -> None:
    text = report.summary(bank)
    assert text.startswith("# term-deposit: live: version 1\n")
    assert "61 ± 4 really are" in text
    assert "Next:" in text


def test_the_summary_cannot_steer_a_terminal(hostile: ReportFacts) -> None:
    text = report.summary(hostile)
    assert not [c for c in text if c < " " and c != "\n"]


def test_a_candidate_that_lost_says_how_far_it_is_behind(bank: ReportFacts) -> None:
    import msgspec

    assert bank.search is not None
    runs = tuple(msgspec.structs.replace(run, reason="") for run in bank.search.runs)
    silent = msgspec.structs.replace(bank, search=msgspec.structs.replace(bank.search, runs=runs))
    assert "0.033 behind the chosen one." in Reader(render(silent)).text


def test_the_page_says_whether_more_rows_would_help(bank: ReportFacts) -> None:
    assert bank.search is not None
    read = Reader(render(bank)).text
    assert "Would more rows help?" in read
    assert "Yes: learning from 21,701 rows instead of 10,850 improved" in read
    assert "Collect more rows" in read
    shown = {attrs["value"] for attrs, _ in Reader(render(bank)).figures}
    assert bank.search.learning is not None
    assert {str(point.score) for point in bank.search.learning.points} <= shown
    flat = msgspec.structs.replace(
        bank, search=msgspec.structs.replace(bank.search, learning=a_curve(0.9, higher=True, verdict="flat"))
    )
    assert "Hardly: learning from 21,701 rows" in Reader(render(flat)).text
    assert "Collect more rows" not in Reader(render(flat)).text
    assert "Hardly: learning from" in report.summary(flat)
    open_ = a_curve(0.9, higher=True, verdict="unclear")
    unclear = msgspec.structs.replace(bank, search=msgspec.structs.replace(bank.search, learning=open_))
    assert "It is unclear: learning from 21,701 rows instead of 10,850 improved" in Reader(render(unclear)).text
    assert "Collect more rows" not in Reader(render(unclear)).text


def test_without_a_learning_curve_nothing_is_said_of_more_rows(bank: ReportFacts) -> None:
    assert bank.search is not None
    without = msgspec.structs.replace(bank, search=msgspec.structs.replace(bank.search, learning=None))
    assert "Would more rows help?" not in render(without)


def test_every_source_of_the_rows_is_named(bank: ReportFacts) -> None:
    grown = msgspec.structs.replace(bank, sources=(("bank.csv", 45_000), ("<may>.csv", 211)))
    read = Reader(render(grown)).text
    assert "Sources: bank.csv (45,000 rows), then appended: <may>.csv (211 rows)" in read
    assert "<may>" not in render(grown)


def test_the_page_says_how_candidates_were_scored(bank: ReportFacts) -> None:
    assert "in 5-fold cross-validation." in Reader(render(bank)).text
    assert bank.search is not None
    runs = tuple(msgspec.structs.replace(run, fold_scores=(0.9,) * 10) for run in bank.search.runs)
    holdout = msgspec.structs.replace(bank, search=msgspec.structs.replace(bank.search, runs=runs))
    assert "in one fit each, scored on the validation part." in Reader(render(holdout)).text


def test_the_page_says_how_many_were_tried_and_how_many_to_their_end(bank: ReportFacts) -> None:
    assert bank.search is not None
    n_runs = len(bank.search.runs)
    assert f"{n_runs} candidates were tried in 42 s, {n_runs - 1} to their end, by" in Reader(render(bank)).text
    one = msgspec.structs.replace(bank.search, runs=bank.search.runs[:1], stopped_by="time")
    read = Reader(render(msgspec.structs.replace(bank, search=one))).text
    assert "1 candidate was tried in 42 s until the time limit, 1 to its end, by" in read
    assert "planned" not in read


def test_what_became_of_a_candidate_is_one_sentence(bank: ReportFacts) -> None:
    assert bank.search is not None
    given_up = a_run("svm", 7, 0.8, metric_name="roc_auc", status="pruned", reason="others promised more after 1 fold")
    mute = a_run("mlp", 8, None, metric_name="roc_auc", status="failed", cost=None)
    late = msgspec.structs.replace(mute, family="bayes", reason="it took too long")
    more = msgspec.structs.replace(bank.search, runs=(*bank.search.runs, given_up, mute, late))
    read = Reader(render(msgspec.structs.replace(bank, search=more))).text
    assert "Pruned: others promised more after 1 fold." in read
    assert "Failed: it took too long." in read and "Failed." in read


def test_criteria_are_told_where_a_likelihood_exists_and_how_they_are_read(bank: ReportFacts) -> None:
    assert bank.search is not None
    assert "AIC" not in Reader(render(bank)).text
    runs = tuple(
        msgspec.structs.replace(run, criteria=Criteria(aic=1234.56, bic=1300.0, n_rows=21_701))
        if run.family == "linear"
        else run
        for run in bank.search.runs
    )
    told = msgspec.structs.replace(bank, search=msgspec.structs.replace(bank.search, runs=runs))
    read = Reader(render(told)).text
    assert "AIC and BIC, on 21,701 rows that were learned from: linear model 1,234.56 and 1,300." in read
    assert "of two models the one with less is better" in read


def test_the_page_shows_what_quality_costs(bank: ReportFacts) -> None:
    assert bank.search is not None and bank.chosen is not None
    sentence = "lightgbm wins 0.0021 of roc_auc over linear for 0.12 ms and 2.1 MB more."
    search = msgspec.structs.replace(bank.search, front=(bank.chosen.id,), prices=(sentence,))
    page = render(msgspec.structs.replace(bank, search=search))
    read = Reader(page).text
    assert "What quality costs" in read and sentence in read
    assert page.count(">unbeaten<") == 1
    assert "Not beaten: LightGBM:" in page


def test_one_tried_to_its_end_is_shown_before_one_that_had_an_easy_fold(bank: ReportFacts) -> None:
    assert bank.search is not None
    lucky = a_run("forest", 7, 0.99, metric_name="roc_auc", status="pruned", reason="others promised more")
    more = msgspec.structs.replace(bank.search, runs=(lucky, *bank.search.runs))
    assert "Pruned" not in Reader(render(msgspec.structs.replace(bank, search=more))).text
