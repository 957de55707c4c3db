from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from palio.cli.app import palio


def call(folder: Path, settings: str, *more: str) -> tuple[int, str]:
    (folder / "palio.toml").write_text(f"[alert]\n{settings}\n", "utf-8")
    result = CliRunner().invoke(palio, ["alert", "test", "--dir", str(folder), *more])
    return result.exit_code, result.output


def test_a_test_alert_prints_what_came_of_it(tmp_path: Path) -> None:
    assert call(tmp_path, 'command = ["true"]') == (0, "ok    command: ended with status 0 (1 attempt)\n")
    assert call(tmp_path, 'command = ["false"]') == (5, "FAIL  command: ended with status 1 (1 attempt)\n")
    code, output = call(tmp_path, 'command = ["true"]', "--json")
    (delivery,) = json.loads(output)["deliveries"]
    assert code == 0 and delivery["ok"] and delivery["channel"] == "command"


def test_without_a_channel_it_says_what_to_set(tmp_path: Path) -> None:
    code, output = call(tmp_path, "")
    assert code == 2 and "no channel is set" in output and "hint: set `webhook`" in output


def test_a_private_webhook_is_refused_with_the_setting_that_allows_it(tmp_path: Path) -> None:
    code, output = call(tmp_path, 'webhook = "http://127.0.0.1:9/secret-token"')
    assert code == 5 and 'private_addresses = "allow"' in output and "secret" not in output
