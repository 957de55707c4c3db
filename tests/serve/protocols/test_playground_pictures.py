"""The page for people shows pictures what they are shown: chosen, dropped or pasted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from palio import serve
from palio.core.records import Schema
from palio.serve.protocols import schemas
from tests.serve.boxes_model import boxes_bundle
from tests.serve.conftest import Switch, Wire
from tests.serve.picture_model import ALONE, BESIDE, PICTURE, as_text, picture, picture_bundle
from tests.serve.traffic.browser import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")


def served(schema: Schema) -> Iterator[str]:
    provider: Any = Switch({1: picture_bundle(schema)})
    with serve.background(serve.create_app(provider)) as url:
        yield url


@pytest.fixture(scope="module")
def alone() -> Iterator[str]:
    yield from served(ALONE)


@pytest.fixture(scope="module")
def beside() -> Iterator[str]:
    yield from served(BESIDE)


def test_the_form_asks_for_a_picture_and_makes_none_up(alone: str, beside: str, connect: Callable[[str], Wire]) -> None:
    told = connect(alone).json("GET", "/playground.json")[1]
    assert (told["kind"], told["can_explain"], told["examples"]) == ("columns", False, [])
    assert [(field["name"], field["type"], field["typical"]) for field in told["fields"]] == [("photo", "image", None)]
    fields = connect(beside).json("GET", "/playground.json")[1]["fields"]
    assert [field["type"] for field in fields] == ["image", "number"]


def test_the_document_says_how_pictures_travel(alone: str, connect: Callable[[str], Wire]) -> None:
    document = connect(alone).json("GET", "/openapi.json")[1]
    record = document["components"]["schemas"]["Record"]
    assert record["properties"]["photo"]["contentEncoding"] == "base64"
    assert record["required"] == ["photo"]
    assert connect(alone).json("POST", "/predict", record["examples"])[0] == 200, "its example is one"
    assert schemas.example_of(PICTURE) == record["examples"][0]["photo"]
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "image/*", "application/octet-stream", "multipart/form-data"}
    assert "parameters" not in document["paths"]["/predict"]["post"], "nothing is explained"


# ── in a browser ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(str(CHROMIUM), tmp_path / "profile") as browser:
        yield browser
        assert [line for line in browser.said if "status of 4" not in line] == [], "nothing breaks the policy"


def give(browser: Browser, data: bytes, how: str, name: str = "hat.jpg") -> None:
    """Choose, drop or paste a file, as far as a script can."""
    browser.run(
        f"""(() => {{
        const bytes = Uint8Array.from(atob({json.dumps(as_text(data))}), one => one.charCodeAt(0));
        const held = new DataTransfer(), zone = document.querySelector(".drop"), input = zone.querySelector("input");
        held.items.add(new File([bytes], {json.dumps(name)}, {{type: "image/jpeg"}}));
        if ({json.dumps(how)} === "choose") {{ input.files = held.files; input.dispatchEvent(new Event("change")); }}
        if ({json.dumps(how)} === "drop") zone.dispatchEvent(new DragEvent("drop", {{dataTransfer: held, bubbles: true, cancelable: true}}));
        if ({json.dumps(how)} === "paste") document.body.dispatchEvent(new ClipboardEvent("paste", {{clipboardData: held, bubbles: true, cancelable: true}}));
        }})()"""  # noqa: E501
    )


def text(browser: Browser, id_: str) -> str:
    found: str = browser.run(f"document.getElementById('{id_}').innerText")
    return found


def is_open(id_: str) -> str:
    return f"!document.getElementById('{id_}').hidden"


@in_browser
@pytest.mark.parametrize("how", ["choose", "drop", "paste"])
def test_a_picture_is_shown_and_answered_at_once(alone: str, browser: Browser, how: str) -> None:
    browser.open(f"{alone}/")
    browser.wait_for(is_open("room"))
    assert text(browser, "ask-title") == "Show a picture"
    give(browser, picture(220, size=(120, 80)), how)
    browser.wait_for(is_open("result"))
    assert text(browser, "verdict") == "light"
    assert "dark" in text(browser, "shares")
    assert browser.run("document.querySelector('.drop img').naturalWidth") == 120
    browser.wait_for("document.querySelector('.drop').innerText.includes('120 × 80')")
    assert "--data-binary @hat.jpg" in text(browser, "snippet")
    browser.run("document.querySelector('.field > button').click()")
    browser.run("document.getElementById('predict').click()")
    browser.wait_for(is_open("failed"))
    assert "`photo` is missing" in text(browser, "failed-text")


@in_browser
def test_boxes_are_drawn_on_the_picture_as_far_as_they_are_sure_enough(browser: Browser) -> None:
    with serve.background(serve.create_app(Switch({1: boxes_bundle()}))) as url:  # type: ignore[dict-item]
        browser.open(f"{url}/")
        browser.wait_for(is_open("room"))
        give(browser, picture(220, size=(400, 300)), "drop")
        browser.wait_for("document.querySelectorAll('#boxes rect').length > 0")
        assert text(browser, "verdict") == "1 × lamp"
        frame = browser.run("document.querySelector('#boxes').getAttribute('viewBox')")
        assert frame == "0 0 400 300"
        left = float(browser.run("document.querySelector('#boxes rect').getAttribute('x')"))
        assert left == pytest.approx(50, abs=0.5)
        assert browser.run("document.querySelector('#boxes text').textContent").endswith(" %")
        least = "document.getElementById('sure')"
        browser.run(f"{least}.value = '0.05'; {least}.dispatchEvent(new Event('input'))")
        assert "1 × cat" in text(browser, "verdict")
        browser.run(f"{least}.value = '1'; {least}.dispatchEvent(new Event('input'))")
        assert text(browser, "verdict") == "Nothing"
        browser.run("scene = [{label: 'lamp', box: [390, 100, 399, 130], score: 1}]; drawBoxes()")
        right = browser.run("(held => held.x + held.width)(document.querySelector('#boxes text').getBBox())")
        assert 380 < right <= 400, "what is written at the right edge stays in the picture"


@in_browser
def test_what_is_no_picture_is_told_beside_the_field(alone: str, browser: Browser) -> None:
    browser.open(f"{alone}/")
    browser.wait_for(is_open("room"))
    give(browser, b"no picture at all", "choose")
    browser.wait_for(is_open("failed"))
    assert text(browser, "failed-text").startswith("`photo` cannot be used")
    assert browser.run("document.querySelectorAll('.wrong').length") == 1


@in_browser
def test_the_code_that_the_page_shows_runs(beside: str, browser: Browser, tmp_path: Path) -> None:
    browser.open(f"{beside}/")
    browser.wait_for(is_open("room"))
    (tmp_path / "hat.jpg").write_bytes(picture(220))
    give(browser, picture(220), "drop")
    browser.run("document.querySelector('[data-name=weight]').value = '2'")
    browser.run("document.getElementById('predict').click()")
    browser.wait_for(is_open("result"))
    curl = text(browser, "snippet")
    assert "-F 'photo=@hat.jpg'" in curl
    browser.run("document.getElementById('tab-python').click()")
    for command in (["bash", "-c", curl], ["python3", "-c", text(browser, "snippet")]):
        if shutil.which(command[0]) and (command[0] != "bash" or shutil.which("curl")):
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=os.environ)
            assert "light" in done.stdout
