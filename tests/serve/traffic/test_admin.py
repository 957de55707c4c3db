from __future__ import annotations

import datetime as dt
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from palio.core.errors import ConflictError
from palio.core.serving import Policy, Rule
from palio.serve.admin_port import STOP_S
from palio.serve.admin_port import beside as open_port
from palio.serve.listener import listen
from palio.serve.traffic.admin import Admin, create_admin
from palio.serve.traffic.keys import add_key, read_policy, revoke_key
from palio.store import Store, open_store

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Beside:
    """The server beside the admin port, and whoever moves rollouts."""

    def __init__(self) -> None:
        self.n_refreshed = 0
        self.acted: list[tuple[str, str, str]] = []
        self.error: Exception | None = None
        self.rollout: dict[str, Any] | None = None

    def status(self) -> Mapping[str, Any]:
        return {"version": 3, "ready": True}

    def refresh(self) -> None:
        self.n_refreshed += 1

    def show(self) -> Mapping[str, Any] | None:
        return self.rollout

    def act(self, action: str, *, reason: str, actor: str) -> Mapping[str, Any]:
        if self.error is not None:
            raise self.error
        self.acted.append((action, reason, actor))
        return {"state": {"status": "done"}}


@pytest.fixture
def beside() -> Beside:
    return Beside()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def app(store: Store, beside: Beside) -> Admin:
    defaults = Policy(rules=(Rule(caller="ann", reason="<b>a friend</b>"),))
    return create_admin(store, "bank", server=beside, rollouts=beside, defaults=defaults, hosts=("Ops.example.org",))


@pytest.fixture
def port(app: Admin) -> Iterator[int]:
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", loop="asyncio"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def client(port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client


@pytest.fixture
def admin(client: httpx.Client, store: Store) -> httpx.Client:
    client.headers["x-api-key"] = add_key(store, "bank", "root", admin=True)[1]
    return client


ROUTES = [
    "/status", "/policy", "/policy/check", "/keys", "/keys/ann", "/rollout", "/rollout/abort", "/metrics", "/docs",
    "/v2/repository/models/bank/load", "/v2/repository/models/bank/unload", "/nothing", "/%2e%2e/", "/index.html",
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]


@pytest.mark.parametrize("shown", [{}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}, {"cookie": "key=x"}])
def test_without_a_key_every_method_on_every_route_is_refused(
    client: httpx.Client, store: Store, beside: Beside, shown: dict[str, str]
) -> None:
    add_key(store, "bank", "root", admin=True)
    n_lines = store.ledger.head()
    for path in ROUTES:
        for method in METHODS:
            answer = client.request(method, path, headers=shown)
            assert answer.status_code == 401, (method, path)
    for method in METHODS[2:]:
        assert client.request(method, "/", headers=shown).status_code == 401, method
    assert store.ledger.head() == n_lines and not beside.acted and not beside.n_refreshed


def test_keys_of_callers_and_keys_that_ended_open_nothing(client: httpx.Client, store: Store) -> None:
    caller = add_key(store, "bank", "ann")[1]
    other = add_key(store, "churn", "root", admin=True)[1]
    revoked = add_key(store, "bank", "past", admin=True)[1]
    revoke_key(store, "bank", "past")
    for secret in (caller, other, revoked):
        assert client.get("/status", headers={"x-api-key": secret}).status_code == 401


def test_a_parameter_in_the_path_is_refused_before_anything_is_changed(
    admin: httpx.Client, store: Store, beside: Beside
) -> None:
    n_lines = store.ledger.head()
    answer = admin.post("/rollout/abort?reason=slow", json={})
    assert answer.status_code == 400 and "`reason`" in answer.json()["error"]
    assert store.ledger.head() == n_lines and not beside.acted


HOSTS = [
    "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example",
    "evil.example#127.0.0.1", "0.0.0.0", "[::1].evil.example", "169.254.169.254", "ops.example.org.", "",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_was_made_to_point_here_is_refused_even_with_a_key(admin: httpx.Client, host: str) -> None:
    for path in ("/", "/status", "/policy"):
        assert admin.get(path, headers={"host": host}).status_code in (400, 403), "also the page"


def test_two_names_or_none_are_refused(port: int) -> None:
    for lines in ("Host: localhost\r\nHost: evil.example\r\n", ""):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            raw.sendall(f"GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
            assert raw.recv(100).split()[1] in (b"400", b"403")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9", "LOCALHOST", "[::1]:80", "ops.example.org"])
def test_its_own_names_are_served(admin: httpx.Client, host: str) -> None:
    assert admin.get("/status", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_requests_of_other_pages_are_refused_even_with_a_key(
    admin: httpx.Client, store: Store, sent: dict[str, str]
) -> None:
    before = store.ledger.head()
    assert admin.put("/policy", json=[], headers=sent).status_code == 403
    assert admin.get("/status", headers=sent).status_code == 403
    assert store.ledger.head() == before


def test_the_page_itself_may_ask(admin: httpx.Client) -> None:
    own = str(admin.base_url).rstrip("/")
    assert admin.get("/status", headers={"origin": own, "sec-fetch-site": "same-origin"}).status_code == 200


def test_answers_give_no_other_page_a_say(admin: httpx.Client) -> None:
    for path in ("/", "/status", "/nothing"):
        headers = admin.get(path).headers
        assert "access-control-allow-origin" not in headers
        assert headers["x-frame-options"] == "DENY" and headers["cache-control"] == "no-store"
    policy = admin.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_the_shell_of_the_page_holds_no_data(client: httpx.Client, store: Store) -> None:
    add_key(store, "bank", "ann")
    page = client.get("/").text
    assert "ann" not in page.split("<script>")[0].replace("channel", "") and "bank" not in page


def test_methods_that_a_route_has_not_are_named(admin: httpx.Client) -> None:
    assert admin.delete("/policy").status_code == 405
    assert admin.get("/nothing").json() == {"error": "there is no such route"}


def test_rules_are_shown_and_replaced_if_nobody_was_faster(admin: httpx.Client, store: Store, beside: Beside) -> None:
    shown = admin.get("/policy")
    assert shown.json()["source"] == "palio.toml" and shown.json()["rules"][0]["caller"] == "ann"
    etag = shown.headers["etag"]
    answer = admin.put("/policy", json={"rules": [{"caller": "bob"}]}, headers={"if-match": etag})
    assert answer.status_code == 200 and answer.json()["source"] == "ledger" and beside.n_refreshed == 1
    again = admin.put("/policy", json=[{"caller": "eve"}], headers={"if-match": etag})
    assert again.status_code == 409
    assert read_policy(store, "bank").policy.rules == (Rule(caller="bob"),)
    assert store.ledger.events(kind="serve.policy")[0].actor == "root"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'[{"calller": "x"}]', "unknown key `calller`"),
        (b'[{"days": "mon-fry"}]', "`fry` is no day"),
        (b"\x80\x04\x95", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"rules": 5}', "no list"),
        (b"7", "no list"),
    ],
)
def test_a_bad_policy_is_refused_with_the_place(admin: httpx.Client, store: Store, body: bytes, says: str) -> None:
    answer = admin.put("/policy", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and says in answer.json()["error"]
    assert not store.ledger.events(kind="serve.policy")


def test_forms_and_large_bodies_are_refused(admin: httpx.Client) -> None:
    assert admin.put("/policy", data={"rules": "[]"}).status_code == 415
    assert admin.put("/policy", content=b"[]", headers={"content-type": "text/plain"}).status_code == 415
    assert admin.put("/policy", content=b" " * (2**20 + 1)).status_code == 413


def test_keys_are_made_listed_and_revoked(admin: httpx.Client, store: Store) -> None:
    made = admin.post("/keys", json={"name": "ann", "role": "risk", "expires_days": 30}).json()
    assert made["key"].startswith("palio_")
    ends = dt.datetime.fromisoformat(made["expires_at"])
    assert abs(ends - dt.datetime.now(dt.UTC) - dt.timedelta(days=30)) < dt.timedelta(minutes=1)
    listed = admin.get("/keys")
    assert made["key"] not in listed.text and "hash" not in listed.text
    assert [key["caller"] for key in listed.json()["keys"]] == ["root", "ann"]
    assert admin.post("/keys", json={"name": "ann"}).status_code == 409
    assert admin.post("/keys", json={"name": "../x"}).status_code == 400
    assert admin.post("/keys", json={"name": "bob", "expires_days": -1}).status_code == 400
    assert admin.post("/keys", json={"name": "bob", "admin": "yes"}).status_code == 400
    assert admin.delete("/keys/ann").status_code == 200
    assert admin.delete("/keys/ann").status_code == 404


def test_an_admin_who_takes_the_own_key_back_is_out(admin: httpx.Client) -> None:
    assert admin.delete("/keys/root").status_code == 200
    assert admin.get("/status").status_code == 401


def test_what_would_be_answered_can_be_asked(admin: httpx.Client) -> None:
    assert admin.post("/policy/check", json={"caller": "ann"}).json()["allowed"] is True
    denied = admin.post("/policy/check", json={"caller": "bob"}).json()
    assert (denied["allowed"], denied["status"], denied["rule"]) == (False, 403, -1)
    tried = admin.post("/policy/check", json={"caller": "bob", "rules": [{"caller": "bob"}]}).json()
    assert tried["allowed"] is True


def test_rollouts_are_moved_by_name_of_the_admin(admin: httpx.Client, beside: Beside) -> None:
    assert admin.post("/rollout/abort", json={"reason": "enough"}).status_code == 200
    assert beside.acted == [("abort", "enough", "root")]
    assert admin.post("/rollout/explode").status_code == 404
    beside.error = ConflictError("somebody else was first", hint="look again")
    answer = admin.post("/rollout/pause")
    assert answer.status_code == 409 and answer.json()["hint"] == "look again"


def test_a_defect_tells_nothing(admin: httpx.Client, beside: Beside, caplog: pytest.LogCaptureFixture) -> None:
    beside.error = ZeroDivisionError("/secret/place")
    answer = admin.post("/rollout/pause")
    assert answer.status_code == 500 and "secret" not in answer.text


def test_a_model_is_loaded_from_the_ledger_only(admin: httpx.Client, beside: Beside) -> None:
    base = "/v2/repository/models"
    assert admin.post(f"{base}/bank/load", json={}).status_code == 200 and beside.n_refreshed == 1
    for parameters in ({"config": "{}"}, {"file:1/model.onnx": "AAAA"}):
        assert admin.post(f"{base}/bank/load", json={"parameters": parameters}).status_code == 501
    assert admin.post(f"{base}/bank/unload").status_code == 501
    for name in ("churn", "..%2f..%2fetc%2fpasswd"):
        assert admin.post(f"{base}/{name}/load").status_code == 404
    assert beside.n_refreshed == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
def test_the_page_shows_rules_and_rollout_in_a_browser(
    admin: httpx.Client, beside: Beside, port: int, tmp_path: Path
) -> None:
    steps = [{"kind": "shadow"}, {"kind": "set_weight", "weight": 0.25}, {"kind": "promote"}]
    deployment = {"version": 3, "bundle": "ab" * 32}
    beside.rollout = {
        "rollout": {"id": "r1", "steps": steps, "champion": deployment, "challenger": deployment},
        "state": {"status": "running", "step": 1, "mode": "canary", "weight": 0.25, "reason": "<i>why</i>",
                  "successes": 1, "failures": 0, "inconclusive": 2},
    }  # fmt: skip
    dom = browse(port, admin.headers["x-api-key"], tmp_path)
    assert "a friend" in dom and "<b>a friend" not in dom and "<i>why" not in dom, "what is data stays text"
    for text in ("may not", "everyone else", "25 %", "The challenger answers 25 % of the requests.", "root", "true"):
        assert text in dom, text


def browse(port: int, key: str, tmp_path: Path) -> str:
    """Open the page as a person does: type the key, press the button; return what is there then."""
    from tests.serve.traffic.browser import Browser

    with Browser(str(CHROMIUM), tmp_path / "profile") as browser:
        browser.open(f"http://127.0.0.1:{port}/")
        browser.run(f'document.getElementById("key").value = {json.dumps(key)}')
        browser.run('document.querySelector("#door button").click()')
        browser.wait_for('!document.getElementById("inside").hidden')
        browser.run('document.querySelector("#try button").click()')
        browser.wait_for('document.getElementById("verdict").textContent')
        (tmp_path / "page.png").write_bytes(browser.screenshot())
        assert browser.said == []
        dom: str = browser.run("document.documentElement.outerHTML.split('<script>')[0]")
        return dom


def test_the_port_closes_without_an_error_in_the_log(app: Admin, caplog: pytest.LogCaptureFixture) -> None:
    with httpx.Client() as client:
        with open_port(app) as url:
            assert client.get(url).status_code == 200
            begin = time.monotonic()
        assert time.monotonic() - begin < STOP_S  # then it is left to itself
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
