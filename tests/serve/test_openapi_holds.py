"""The OpenAPI document against the server that gives it: Schemathesis makes requests from it, good and bad ones."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from palio import serve
from palio.store import FeedbackLog, Redaction
from tests.serve import foreign_models
from tests.serve.protocols.test_playground import KEY, Guarded
from tests.serve.small_model import SmallBundle

PROGRAM = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or shutil.which("schemathesis")
ANSWERS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "allow_header_conformance", "ignored_auth",
)  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="schemathesis is not installed (pip install schemathesis)"),
]


@pytest.fixture(params=["bundle", "guarded", "graph", "graph of two inputs"])
def url(request: pytest.FixtureRequest, bundle: SmallBundle, tmp_path: Path) -> Iterator[str]:
    provider: serve.Provider
    if request.param == "bundle":
        provider = serve.fixed(bundle, model="bank")  # type: ignore[arg-type]
    elif request.param == "guarded":
        provider = Guarded({1: bundle})
    else:
        graph = foreign_models.classifier() if request.param == "graph" else foreign_models.simple()
        provider = serve.any_onnx(foreign_models.write(tmp_path, "zoo", graph))
    caps = serve.Caps(max_body_bytes=1_000_000, max_rows=1000, read_timeout_s=5.0)
    with (
        FeedbackLog(tmp_path / "log", "bank", redaction=Redaction()) as feedback,
        serve.background(serve.create_app(provider, caps=caps, feedback=feedback)) as url,
    ):
        yield url


def check(url: str, folder: Path, checks: tuple[str, ...], *more: str) -> None:
    """Let Schemathesis ask for at most half a minute; it fails on the first broken promise of each kind."""
    assert PROGRAM is not None
    command = [
        PROGRAM, "run", f"{url}/openapi.json", "--checks", ",".join(checks), "--max-examples", "25", "--max-time", "30",
        "--seed", "1", "--no-color", "--continue-on-failure", "--header", f"x-api-key: {KEY}", *more,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout[done.stdout.find("= FAILURES") :][:6000] + done.stderr[-2000:]
    found = re.search(r"(\d+) generated", done.stdout)
    assert found is not None
    assert int(found[1]) > 50, "it hardly asked"


def test_every_answer_is_one_that_the_document_describes(url: str, tmp_path: Path) -> None:
    check(url, tmp_path, ANSWERS)


def test_every_record_that_the_document_allows_is_answered(url: str, tmp_path: Path) -> None:
    check(url, tmp_path, (*ANSWERS, "positive_data_acceptance"), "--include-path", "/predict", "--mode", "positive")
