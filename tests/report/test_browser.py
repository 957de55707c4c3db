"""The page in a real browser; skipped where there is none."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from palio import report
from palio.report import ReportFacts
from palio.report.timelines import HEIGHTS

from . import reviews

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files",
]  # fmt: skip
TELEPHONE = """<!doctype html><title>waiting</title>
<iframe id="page" src="report.html" style="border:0;width:390px;height:900px"></iframe>
<script>
document.getElementById("page").addEventListener("load", event => {
  const page = event.target.contentDocument;
  for (const one of page.querySelectorAll("details")) one.open = true;
  const wide = [...page.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > 390.5
    && !e.closest(".scroll") && !e.closest("svg")).map(e => e.tagName + "." + e.className);
  const rules = page.styleSheets[0].cssRules.length;
  document.title = `width ${page.documentElement.scrollWidth} wide [${wide}] style ${rules}`;
});
</script>"""

DRAWINGS = """<!doctype html><title>waiting</title>
<iframe id="page" src="report.html" style="border:0;width:390px;height:900px"></iframe>
<script>
document.getElementById("page").addEventListener("load", event => {
  const drawn = [...event.target.contentDocument.querySelectorAll("svg.timeline")];
  document.title = drawn.map(e => { const r = e.getBoundingClientRect(); return `${r.width}x${r.height}` }).join(" ");
});
</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")


@pytest.mark.parametrize("name", ["challenged", "flats", "hostile"])
def test_on_a_telephone_nothing_is_wider_than_the_screen(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    facts = request.getfixturevalue(name)
    assert isinstance(facts, ReportFacts)
    report.write(tmp_path / "report.html", facts=facts)
    assert_fits_a_telephone(tmp_path)


@pytest.mark.parametrize("name", ["fallen", "drifting", "old_bundle", "empty", "hostile", "wide"])
def test_a_watched_model_fits_a_telephone(name: str, tmp_path: Path) -> None:
    review = reviews.WORLDS[name]()
    report.save(tmp_path / "report.html", report.monitoring_page(review, name=reviews.LONG, cases="customers"))
    assert_fits_a_telephone(tmp_path)


def test_time_lines_are_as_wide_as_the_page_and_as_high_as_drawn(tmp_path: Path) -> None:
    report.save(tmp_path / "report.html", report.monitoring_page(reviews.fallen(), name="term-deposit"))
    frame = tmp_path / "frame.html"
    frame.write_text(DRAWINGS, encoding="utf-8")
    found = [tuple(map(float, one.split("x"))) for one in _title(frame, tmp_path / "profile").split()]
    assert len(found) == 6
    assert {height for _, height in found} == set(HEIGHTS.values())
    assert all(290 < width < 390 for width, _ in found), found


def assert_fits_a_telephone(tmp_path: Path) -> None:
    frame = tmp_path / "frame.html"
    frame.write_text(TELEPHONE, encoding="utf-8")
    title = _title(frame, tmp_path / "profile")
    match = re.fullmatch(r"width (\d+) wide \[(.*)\] style (\d+)", title)
    assert match, title
    assert int(match[1]) <= 390
    assert match[2] == ""
    assert int(match[3]) > 50, "the style sheet was not understood"


def _title(page: Path, profile: Path) -> str:
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={profile}",
        "--virtual-time-budget=4000",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    found = re.search(r"<title>(.*?)</title>", done.stdout, flags=re.S)
    return found[1] if found else done.stderr[-500:]
