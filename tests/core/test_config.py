from __future__ import annotations

from pathlib import Path

import pytest

from palio.core import config
from palio.core.errors import ConfigError


def parse(tables: dict, env: dict | None = None, flags: dict | None = None) -> config.Config:
    return config.parse(tables, env=env or {}, flags=flags or {})


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() -> None:
    file = {"train": {"budget_s": 1}}
    env = {"PALIO_TRAIN_BUDGET_S": "2"}
    assert parse({}).train.budget_s == 300
    assert parse(file).train.budget_s == 1
    assert parse(file, env).train.budget_s == 2
    assert parse(file, env, {"train.budget_s": 3}).train.budget_s == 3
    assert parse(file, env, {"train.budget_s": None}).train.budget_s == 2


def test_an_environment_list_is_split_at_commas() -> None:
    assert parse({}, {"PALIO_DATA_EXCLUDE": "a, b"}).data.exclude == ("a", "b")


def test_a_foreign_environment_variable_is_left_alone() -> None:
    assert parse({}, {"PALIO_HOME": "x", "PATH": "y"}) == config.Config()


def test_the_password_of_the_mail_server_is_no_setting() -> None:
    assert parse({}, {"PALIO_ALERT_PASSWORD": "x"}) == config.Config()
    with pytest.raises(ConfigError, match="unknown key `password`"):
        parse({"alert": {"password": "x"}})


@pytest.mark.parametrize(
    ("tables", "message", "hint"),
    [
        ({"train": {"budgets": 3}}, "palio.toml [train]: unknown key `budgets`", "did you mean `budget_s`?"),
        ({"trin": {}}, "palio.toml: unknown table [trin]", "did you mean `train`?"),
        ({"train": {"budget_s": "soon"}}, "[train]: `budget_s`: expected `float`", "settings.md"),
        ({"split": {"policy": "50-50"}}, "[split]: `policy`: invalid enum value", "settings.md"),
        ({"train": 3}, "`train` stands outside a table", "[train]"),
    ],
)
def test_a_wrong_setting_names_its_place_and_what_is_allowed(tables: dict, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(tables)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_wrong_environment_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="budget_s"):
        parse({}, {"PALIO_TRAIN_BUDGET_S": "soon"})
    with pytest.raises(ConfigError, match=r"^environment PALIO_SERVE_PORT: `port`: expected `int`"):
        parse({"serve": {"port": 1}}, {"PALIO_SERVE_PORT": "abc"})
    with pytest.raises(ConfigError, match="unknown key `budgets`"):
        parse({}, {"PALIO_TRAIN_BUDGETS": "3"})


def test_a_folder_without_a_project_says_how_to_begin_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path)
    assert "palio init" in caught.value.hint


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "palio.toml").write_text("[train\n")
    with pytest.raises(ConfigError, match="line 1"):
        config.load(tmp_path)


def test_what_kubernetes_says_of_services_is_no_setting() -> None:
    of_a_pod = {
        "PALIO_SERVE_SERVICE_HOST": "192.0.2.1",
        "PALIO_SERVE_SERVICE_PORT": "8080",
        "PALIO_SERVE_SERVICE_PORT_HTTP": "8080",
        "PALIO_SERVE_PORT": "tcp://192.0.2.1:8080",
        "PALIO_SERVE_PORT_8080_TCP": "tcp://192.0.2.1:8080",
        "PALIO_SERVE_PORT_8080_TCP_PROTO": "tcp",
        "PALIO_SERVE_PORT_8080_TCP_PORT": "8080",
        "PALIO_SERVE_PORT_8080_TCP_ADDR": "192.0.2.1",
    }
    assert config.parse({}, env=of_a_pod, flags={}) == config.Config()
    assert config.parse({}, env=of_a_pod | {"PALIO_SERVE_PORT": "9000"}, flags={}).serve.port == 9000
