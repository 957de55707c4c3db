"""The page for people: what it is told, what it may run, and that it works in a real browser."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import pytest

from palio import serve
from palio.core.ids import digest
from palio.core.records import Column, Deployment
from palio.core.serving import ApiKey, Plan, Policy, Rule
from palio.serve.protocols import playground
from palio.serve.served import Served, prepare
from tests.serve import foreign_models
from tests.serve.conftest import Switch, Wire
from tests.serve.small_model import GOOD, SmallBundle
from tests.serve.traffic.browser import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
KEY = "a-key-for-the-test"


class Guarded(Switch):
    """A champion that only the holder of a key may ask."""

    def current(self) -> Plan:
        key = ApiKey(
            caller="ann", hash=digest(KEY.encode()), created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        )  # fmt: skip
        return Plan(champion=self.deployment(1), policy=Policy(rules=(Rule(caller="ann"),), keys=(key,)))


@pytest.fixture(scope="module")
def guarded(bundle: SmallBundle) -> Iterator[str]:
    with serve.background(serve.create_app(Guarded({1: bundle}))) as url:
        yield url


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = foreign_models.write(tmp_path_factory.mktemp("pets"), "pets", foreign_models.classifier())
    with serve.background(serve.create_app(serve.any_onnx(path))) as url:
        yield url


# ── what the page is told ───────────────────────────────────────────────────────────────────────────────────────────


def test_typical_values_come_from_the_profile(wire: Wire) -> None:
    status, told = wire.json("GET", "/playground.json")
    assert status == 200
    assert (told["kind"], told["target"], told["classes"]) == ("columns", "y", ["no", "yes"])
    typical = {field["name"]: field["typical"] for field in told["fields"]}
    assert typical["age"] == 40
    assert isinstance(typical["age"], int)
    assert (typical["job"], typical["level"], typical["married"]) == ("admin", "low", True)


def test_every_row_that_the_page_offers_is_answered_without_a_flag(wire: Wire) -> None:
    _, told = wire.json("GET", "/playground.json")
    typical = {field["name"]: field["typical"] for field in told["fields"]}
    assert len(told["examples"]) == playground.N_EXAMPLES
    assert {row["balance"] for row in told["examples"]} == {-1000.0, 0.0, None}, "missing as often as it was"
    status, answer = wire.json("POST", "/predict", {"records": [typical, *told["examples"]]})
    assert status == 200
    assert [row["flags"] for row in answer["predictions"]] == [[]] * (playground.N_EXAMPLES + 1)


def test_policies_of_a_column_are_told(wire: Wire) -> None:
    fields = {field["name"]: field for field in wire.json("GET", "/playground.json")[1]["fields"]}
    assert fields["age"] | {"note": ""} == {
        "name": "age", "type": "integer", "typical": 40, "missing_allowed": False, "note": "", "low": 18, "high": 90,
        "others": "reject",
    }  # fmt: skip
    assert (fields["job"]["values"], fields["job"]["others"]) == (["admin", "student", "retired"], "flag")
    assert fields["married"]["values"] == [False, True]


def test_free_text_of_the_training_data_is_not_shown() -> None:
    column = Column(name="words", type="text")
    assert playground._drawn(column, ["somebody's words"]) == [None]


def test_dates_are_written_as_days_where_they_are_days() -> None:
    column = Column(name="at", type="datetime", low=0.0, high=10 * 86_400.0)
    days = playground._drawn(column, [0.0, 86_400.0, float("nan")])
    assert days == ["1970-01-01", "1970-01-02", None]
    assert playground._column_field(column, days)["is_day"] is True
    moments = playground._drawn(column, [3_600.0])
    assert moments == ["1970-01-01T01:00:00"]
    assert playground._column_field(column, moments)["is_day"] is False


def test_a_short_number_stays_inside_the_range() -> None:
    column = Column(name="x", type="number", low=0.1234561, high=1.0)
    assert playground._number(column, 0.1234561) == 0.1234561
    assert playground._number(column, 0.987654321) == 0.987654


@pytest.mark.parametrize("make", [foreign_models.simple, foreign_models.simple_string, foreign_models.lookup])
def test_the_values_made_up_for_a_graph_are_answered(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = foreign_models.write(tmp_path, "graph", make())
    with serve.background(serve.create_app(serve.any_onnx(path))) as url, serve.Client(url) as client:
        told = json.loads(client.request("GET", "/playground.json"))
        assert (told["kind"], told["can_explain"]) == ("graph", False)
        record = {field["name"]: field["typical"] for field in told["fields"]}
        assert json.loads(client.request("POST", "/predict", json.dumps(record).encode()))["predictions"]


def test_of_a_large_tensor_nothing_is_made_up() -> None:
    from palio.core.records import TensorSpec

    assert playground._made_up(TensorSpec(name="x", datatype="FP32", shape=(-1, 3, 640, 640)), 0) is None
    assert np.shape(playground._made_up(TensorSpec(name="x", datatype="FP32", shape=(-1, 3, -1)), 0)) == (3, 1)


# ── what it may run, and who may read ───────────────────────────────────────────────────────────────────────────────


def test_the_shell_holds_no_data_and_runs_only_its_own_script(wire: Wire) -> None:
    status, headers, body = wire("GET", "/")
    page = body.decode()
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        texts = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.S)
        assert len(texts) == 1
        assert policy[kind] == playground._hash(texts[0])
    assert not re.search(r"\son\w+=|javascript:|style=|https?://", page)
    assert "bank" not in page


def test_the_slider_of_boxes_can_stand_at_any_threshold() -> None:
    page = resources.files("palio.serve.protocols").joinpath("playground.html").read_text("utf-8")
    (slider,) = re.findall(r'<input id="sure"[^>]*>', page)
    assert 'step="any"' in slider, "else it is rounded, and other boxes are drawn than the server tells"


def test_what_shows_the_schema_obeys_the_policy_and_what_tells_the_state_is_open(
    guarded: str, connect: Callable[[str], Wire]
) -> None:
    wire = connect(guarded)
    for path in ("/playground.json", "/openapi.json", "/v2/models/bank"):
        status, headers, _ = wire("GET", path)
        assert (status, headers.get("www-authenticate")) == (401, "Bearer"), path
        assert wire("GET", path, headers={"x-api-key": "another"})[0] == 401
        assert wire("GET", path, headers={"x-api-key": KEY})[0] == 200
        assert wire("GET", path, headers={"authorization": f"Bearer {KEY}"})[0] == 200
    for path in ("/", "/metrics", "/health", "/ping", "/version", "/v2", "/v2/health/live", "/v2/health/ready"):
        assert wire("GET", path)[0] == 200, path
    document = json.loads(wire("GET", "/openapi.json", headers={"x-api-key": KEY})[2])
    assert document["security"] == [{"ApiKey": []}, {"Bearer": []}]


def test_without_a_champion_there_is_no_form_and_no_document(
    bundle: SmallBundle, connect: Callable[[str], Wire]
) -> None:
    with serve.background(serve.create_app(Switch({1: bundle}, None))) as url:
        wire = connect(url)
        assert wire("GET", "/")[0] == 200
        for path in ("/playground.json", "/openapi.json"):
            status, headers, body = wire("GET", path)
            assert (status, headers["retry-after"]) == (503, "1")
            assert json.loads(body) == {"error": "there is no champion in the ledger"}


# ── in a browser ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(str(CHROMIUM), tmp_path / "profile") as browser:
        yield browser
        assert [line for line in browser.said if "status of 4" not in line and "status of 5" not in line] == []


def enter(browser: Browser, name: str, value: str) -> None:
    browser.run(
        f"(field => {{ field.value = {json.dumps(value)}; field.dispatchEvent(new Event('input')); }})"
        f"(document.querySelector('[data-name=\"{name}\"]'))"
    )


def shown(browser: Browser, id_: str) -> str:
    text: str = browser.run(f"document.getElementById('{id_}').innerText")
    return text


def is_open(browser: Browser, id_: str) -> str:
    return f"!document.getElementById('{id_}').hidden"


def predict(browser: Browser) -> None:
    browser.run("document.getElementById('result').hidden = document.getElementById('failed').hidden = true")
    browser.run("document.getElementById('predict').click()")
    browser.wait_for(f"{is_open(browser, 'result')} || {is_open(browser, 'failed')}")


@in_browser
def test_a_person_fills_the_form_and_reads_the_answer(url: str, wire: Wire, browser: Browser) -> None:
    browser.open(f"{url}/")
    browser.wait_for(is_open(browser, "room"))
    assert shown(browser, "title") == "bank"
    enter(browser, "age", "71")
    enter(browser, "balance", "")
    enter(browser, "job", "2")
    predict(browser)
    record = {"age": 71, "balance": None, "job": "retired", "level": "low", "married": True}
    expected = wire.json("POST", "/predict?explain=1", record)[1]["predictions"][0]
    assert shown(browser, "verdict") == expected["prediction"]
    assert f"{expected['probabilities']['yes'] * 100:.1f} %" in shown(browser, "shares")
    reasons = shown(browser, "bars")
    assert "retired" in reasons
    assert "missing" in reasons
    assert shown(browser, "prediction-id").endswith(".0")
    assert shown(browser, "took").endswith("with the explanation")
    snippet = shown(browser, "snippet")
    assert "curl" in snippet
    assert json.dumps({"records": [record]}, separators=(",", ":")) in snippet
    assert browser.said == []


@in_browser
def test_the_python_that_the_page_shows_runs(url: str, browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    browser.open(f"{url}/")
    browser.wait_for(is_open(browser, "room"))
    enter(browser, "level", "")
    browser.run("document.getElementById('tab-python').click()")
    exec(shown(browser, "snippet"), {})
    printed = capsys.readouterr().out
    assert "'explanation'" in printed
    assert "'prediction'" in printed


@in_browser
def test_flags_and_refusals_point_to_the_field(url: str, browser: Browser) -> None:
    browser.open(f"{url}/")
    browser.wait_for(is_open(browser, "room"))
    enter(browser, "balance", "99999")
    predict(browser)
    assert shown(browser, "flags") == "balance: out of range"
    wrong = "[...document.querySelectorAll('.wrong [data-name]')].map(field => field.dataset.name)"
    assert browser.run(wrong) == ["balance"]
    enter(browser, "age", "7")
    predict(browser)
    assert "`age`" in shown(browser, "failed-text")
    assert browser.run(wrong) == ["age"]


@in_browser
def test_the_page_asks_for_a_key_and_keeps_it_out_of_sight(guarded: str, browser: Browser) -> None:
    browser.open(f"{guarded}/")
    browser.wait_for(is_open(browser, "door"))
    assert browser.run("document.getElementById('room').hidden")
    for key in ("a wrong one", KEY):
        browser.run(f"document.getElementById('key').value = {json.dumps(key)}")
        browser.run("document.querySelector('#door button').click()")
        browser.wait_for("document.getElementById('key').value === ''")
    browser.wait_for(is_open(browser, "room"))
    predict(browser)
    assert shown(browser, "verdict") in ("no", "yes")
    assert "$PALIO_KEY" in shown(browser, "snippet")
    assert KEY not in browser.run("document.documentElement.outerHTML")
    assert browser.run("localStorage.length + sessionStorage.length + document.cookie.length") == 0


@in_browser
def test_a_graph_from_elsewhere_has_a_form_too(pets: str, browser: Browser) -> None:
    browser.open(f"{pets}/")
    browser.wait_for(is_open(browser, "room"))
    enter(browser, "x", "[9, 9, 9, 9]")
    predict(browser)
    assert shown(browser, "verdict") == "eel"
    assert "cat" in shown(browser, "shares")
    assert browser.run("document.getElementById('reasons').hidden")
    enter(browser, "x", "[9, 9")
    predict(browser)
    assert "is not JSON" in shown(browser, "failed-text")


@in_browser
def test_the_page_waits_for_a_champion_and_then_opens(bundle: SmallBundle, browser: Browser) -> None:
    switch = Switch({1: bundle}, None)
    with serve.background(serve.create_app(switch, poll_s=0.05)) as url:
        browser.open(f"{url}/")
        browser.wait_for(is_open(browser, "notice"))
        assert shown(browser, "title") == "No model is served yet"
        assert "no champion" in shown(browser, "notice")
        switch.version = 1
        browser.wait_for(is_open(browser, "room"))


@in_browser
def test_a_regression_shows_a_number(bundle: SmallBundle, browser: Browser) -> None:
    with serve.background(serve.create_app(Regression(bundle))) as url:
        browser.open(f"{url}/")
        browser.wait_for(is_open(browser, "room"))
        predict(browser)
        float(shown(browser, "verdict").replace(",", ""))
        assert shown(browser, "shares") == ""
        assert "in its own unit" in shown(browser, "reasons-of")


@in_browser
def test_on_a_telephone_nothing_is_wider_than_the_screen(url: str, browser: Browser) -> None:
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.call("Emulation.setDeviceMetricsOverride", screen)
    browser.open(f"{url}/")
    browser.wait_for(is_open(browser, "room"))
    predict(browser)
    assert browser.run("document.documentElement.scrollWidth") <= 390


class Regression:
    """A provider of a small regression: its graph adds age and balance."""

    def __init__(self, bundle: SmallBundle) -> None:
        self.bundle = small_regression(bundle)

    def current(self) -> Plan:
        return Plan(champion=Deployment(model="sum", version=1, bundle=self.bundle.id))

    def load(self, deployment: Deployment) -> Served:
        return prepare(self.bundle, deployment)  # type: ignore[arg-type]

    def refused(self, deployment: Deployment, why: str) -> None:
        raise AssertionError(why)


def small_regression(bundle: SmallBundle) -> SmallBundle:
    """Make the classifier's rows those of a regression of age + 0.001 · (balance, 0 where missing)."""
    from onnx import TensorProto, helper, numpy_helper

    from palio.core.ids import digest_of
    from palio.core.records import Task, TensorSpec

    nodes = [
        helper.make_node("IsNaN", ["balance"], ["absent"]),
        helper.make_node("Where", ["absent", "zero", "balance"], ["known"]),
        helper.make_node("Mul", ["known", "scale"], ["scaled"]),
        helper.make_node("Add", ["age", "scaled"], ["sum"]),
        helper.make_node("Reshape", ["sum", "flat"], ["prediction"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(value), name)
        for name, value in (("zero", 0.0), ("scale", 0.001), ("flat", [-1]))
    ]
    inputs = [
        helper.make_tensor_value_info(
            s.name, TensorProto.DOUBLE if s.datatype == "FP64" else TensorProto.STRING, ["n", 1]
        )
        for s in bundle.manifest.inputs
    ]
    outputs = [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, ["n"])]
    graph = helper.make_graph(nodes, "sum", inputs, outputs, constants)
    model = bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()
    )
    manifest = msgspec.structs.replace(
        bundle.manifest,
        task=Task(kind="regression", target="y"),
        outputs=(TensorSpec(name="prediction", datatype="FP64", shape=(-1,)),),
        files={"model.onnx": digest(model)},
    )
    return SmallBundle(digest_of(manifest), manifest, model)


def test_the_answer_of_a_regression_is_explained_in_its_own_unit(
    bundle: SmallBundle, connect: Callable[[str], Wire]
) -> None:
    with serve.background(serve.create_app(Regression(bundle))) as url:
        status, answer = connect(url).json("POST", "/predict?explain=1", GOOD)
    assert status == 200
    row = answer["predictions"][0]
    told = row["explanation"]
    assert row["prediction"] == pytest.approx(40.1205)
    assert told["base"] + sum(told["values"].values()) == pytest.approx(row["prediction"])
    assert list(told["values"])[:1] == ["age"], "the largest movement first"
    assert told["values"]["job"] == 0
