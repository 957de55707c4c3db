"""The source is read once a verb, and all that follows speaks of that reading, however the source moves meanwhile."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from palio import data, flow
from palio.core.errors import InputError, NotFoundError, UnavailableError
from palio.core.ids import short
from palio.core.progress import SILENT, Progress
from palio.core.records import Decision, Evaluation, Parts, Search, Snapshot
from palio.testing.postgres import Server
from tests.flow.heard import Heard

N_ROWS = 300
COLUMNS = ("customer", "income", "region", "y")


def row(number: int) -> tuple[str, float, str, str]:
    income = number * 37 % 101 / 2
    return f"C{number:05d}", income, "nsew"[number % 4], "yes" if income + number * 7 % 11 > 30 else "no"


class Growing:
    """A listener that brings the source one more row whenever it hears a sentence, or that work of another name began.

    So the source grows before, within and after every step.
    """

    def __init__(self, more: Callable[[tuple[str, float, str, str]], None]) -> None:
        self._more, self._name = more, ""
        self.n_rows = 0

    def say(self, text: str) -> None:
        self.grow()

    def step(self, name: str, done: float, total: float | None = None) -> None:
        if name != self._name:
            self._name = name
            self.grow()

    def grow(self) -> None:
        self._more(row(N_ROWS + self.n_rows))
        self.n_rows += 1


class Database:
    """A table of rows that others write to while it is read."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)
        self.run("create table people (customer text, income float, region text, y text)")
        for number in range(N_ROWS):
            self.add(row(number))

    def add(self, cells: tuple[str, float, str, str]) -> None:
        self.run("insert into people values (:a, :b, :c, :d)", **dict(zip("abcd", cells, strict=True)))

    def run(self, statement: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text(statement), values)


def add_line(file: Path, cells: tuple[Any, ...]) -> None:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(",".join(map(str, cells)) + "\n")


def write_people(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(",".join(COLUMNS) + "\n", "utf-8")
    for number in range(N_ROWS):
        add_line(file, row(number))
    return file


def begin(folder: Path, source: str | Path, *, more: str = "", **given: Any) -> Path:
    """Begin a project with a short search, whose gate asks for little."""
    flow.init(source, target="y", folder=folder, name="people", id_column="customer", **given)
    settings = folder / "palio.toml"
    text = settings.read_text("utf-8").replace("budget_s = 300", 'budget_s = 5\nfamilies = ["linear"]')
    settings.write_text(text + more, "utf-8")
    return folder


def speaks_of_one_snapshot(project: flow.Project, summary: flow.RunSummary) -> None:
    records = project.store.records
    (snapshot,), (search,), (parts,) = records.all(Snapshot), records.all(Search), records.all(Parts)
    assert [e.subject for e in project.store.ledger.events(kind="train.search")] == [search.id]
    assert summary.snapshot.id == snapshot.id == parts.snapshot
    assert summary.split.id == parts.id == search.parts
    decision = records.require(Decision, summary.decision.id)
    evaluation = records.require(Evaluation, decision.evaluation)
    assert (evaluation.id, evaluation.snapshot, evaluation.parts) == (summary.evaluation.id, snapshot.id, parts.id)
    assert summary.champion is not None, summary.decision.reasons
    assert summary.champion.bundle == search.bundle == decision.challenger
    assert project.bundle().manifest.snapshot == snapshot.id
    assert short(snapshot.id) in Path(summary.report).read_text("utf-8")
    assert len(project.store.ledger.events(kind="evaluate.look")) == 1


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'people.db'}")
    return Database(request.getfixturevalue("postgres_url"))


def test_a_table_that_grows_during_a_run_is_one_snapshot_one_search_and_one_look(
    database: Database, tmp_path: Path
) -> None:
    folder = begin(tmp_path / "project", database.url, query="select * from people order by customer")
    growing = Growing(database.add)
    with flow.Project.open(folder, progress=growing) as project:
        summary = project.run()
        assert growing.n_rows > 6
        assert summary.snapshot.n_rows == N_ROWS, "the rows that were there when the run began"
        speaks_of_one_snapshot(project, summary)


def test_a_file_that_grows_during_a_run_is_one_snapshot_one_search_and_one_look(tmp_path: Path) -> None:
    file = write_people(tmp_path / "people.csv")
    folder = begin(tmp_path / "project", file)
    growing = Growing(lambda cells: add_line(file, cells))
    with flow.Project.open(folder, progress=growing) as project:
        speaks_of_one_snapshot(project, project.run())
    assert growing.n_rows > 6


@pytest.mark.parametrize("verb", ["split", "train", "evaluate", "promote"])
def test_a_single_verb_makes_one_snapshot_of_a_table_that_grows(verb: str, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'people.db'}")
    folder = begin(tmp_path / "project", database.url, query="select * from people order by customer")
    with flow.Project.open(folder, progress=Growing(database.add)) as project:
        getattr(project, verb)()
        (snapshot,), (parts,) = project.store.records.all(Snapshot), project.store.records.all(Parts)
        assert parts.snapshot == snapshot.id and snapshot.n_rows == N_ROWS
        assert len(project.store.records.all(Search)) == (0 if verb == "split" else 1)


_OPENED: list[str] = []
_LISTENING = False


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _LISTENING and event in ("open", "sqlite3.connect"):
        _OPENED.append(str(arguments[0]))


sys.addaudithook(_hear)


def n_opened(file: Path, do: Callable[[], object]) -> int:
    """Count how often a file is opened while something is done."""
    global _LISTENING
    _OPENED.clear()
    _LISTENING = True
    try:
        do()
    finally:
        _LISTENING = False
    return sum(name.partition("?")[0].endswith(file.name) for name in _OPENED)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A project after its first run, and its file."""
    place = tmp_path_factory.mktemp("people")
    file = write_people(place / "people.csv")
    folder = begin(place / "project", file)
    with flow.Project.open(folder) as project:
        project.run()
    return folder, file


def test_a_rerun_opens_the_source_once_to_see_that_nothing_changed(people: tuple[Path, Path]) -> None:
    folder, file = people
    source = data.open_source(file)
    once = n_opened(file, lambda: data.open_source(file))
    reading = n_opened(file, lambda: [batch.num_rows for batch in source.batches()])
    assert once and reading
    with flow.Project.open(folder) as project:
        assert n_opened(file, project.run) == once
        for verb in (project.ingest, project.split, project.train, project.evaluate, project.promote):
            assert n_opened(file, verb) == once, "each verb begins from the source, and only there"
        assert n_opened(file, project.report) == 0
        assert [len(project.store.ledger.events(kind=kind)) for kind in ("train.search", "evaluate.look")] == [1, 1]
        add_line(file, row(N_ROWS))
        assert n_opened(file, project.split) == once + reading


def test_an_append_opens_the_source_once(tmp_path: Path) -> None:
    file, more = write_people(tmp_path / "people.csv"), tmp_path / "more.csv"
    folder = begin(tmp_path / "project", file)
    more.write_text(",".join(COLUMNS) + "\n")
    add_line(more, row(5_000))
    once = n_opened(file, lambda: data.open_source(file))
    with flow.Project.open(folder) as project:
        project.ingest()
        assert n_opened(file, lambda: project.ingest(append=more)) == once
        assert project.ingest().n_rows == N_ROWS + 1


@pytest.fixture
def second_host(people: tuple[Path, Path], tmp_path: Path) -> Iterator[Callable[..., flow.Project]]:
    """Open the project's files and store on another machine, where its source is not."""
    projects: list[flow.Project] = []

    def arrive(*, progress: Progress = SILENT, **flags: Any) -> flow.Project:
        folder = tmp_path / "elsewhere" / "project"
        if not folder.exists():
            shutil.copytree(people[0], folder)
        named = {key.replace("_", ".", 1): value for key, value in flags.items()}
        projects.append(flow.Project.open(folder, flags=named, progress=progress))
        return projects[-1]

    yield arrive
    for project in projects:
        project.close()


def test_a_host_without_the_source_goes_on_with_its_newest_snapshot_and_says_so(
    second_host: Callable[..., flow.Project], tmp_path: Path
) -> None:
    heard = Heard()
    project = second_host(progress=heard)
    more = tmp_path / "more.csv"
    more.write_text(",".join(COLUMNS) + "\n")
    add_line(more, row(5_000))
    appended = project.ingest(append=more)
    heard.said.clear()
    project.warnings.clear()
    snapshot = project.ingest()
    assert snapshot == appended, "what was appended belongs to it"
    (warning,) = (text for text in heard.said if text.startswith("warning"))
    made = project.store.ledger.events(kind="data.ingest", subject=snapshot.id)[0].at
    for word in (
        "people.csv: there is no such file",
        short(snapshot.id),
        f"version {snapshot.version}",
        f"{made:%Y-%m-%d %H:%M} UTC",
        f"{snapshot.n_rows:,} rows",
    ):
        assert word in warning
    summary = project.run()
    rival = project.store.records.require(Decision, summary.decision.id).challenger
    assert summary.snapshot.id == snapshot.id == project.bundle(rival).manifest.snapshot
    assert summary.warnings == tuple(project.warnings) and len(summary.warnings) == 1
    assert summary.warnings[0] in warning
    lines = project.store.ledger.events(kind="data.unreachable")
    assert [line.subject for line in lines].count(snapshot.id) == 1, "the ledger keeps it, once"


def test_two_hosts_with_one_store_speak_of_one_candidate_also_where_the_source_is_not(
    postgres_url: str, tmp_path: Path
) -> None:
    file = write_people(tmp_path / "here" / "people.csv")
    shared = f'\n[store]\nurl = "{postgres_url}"\nblobs = "{tmp_path / "blobs"}"\n'
    here, there = begin(tmp_path / "here" / "project", file, more=shared), tmp_path / "there" / "project"
    there.mkdir(parents=True)
    for name in ("palio.toml", "schema.toml"):
        shutil.copy(here / name, there / name)
    with flow.Project.open(here) as project:
        summary = project.run()
    with flow.Project.open(there) as project:
        assert project.promote().id == summary.decision.id
        again = project.run()
        assert (again.champion, again.snapshot, again.split) == (summary.champion, summary.snapshot, summary.split)
        assert again.candidates == summary.candidates and len(again.warnings) == 1
        assert [len(project.store.ledger.events(kind=kind)) for kind in ("train.search", "evaluate.look")] == [1, 1]


def test_a_source_that_was_never_read_under_these_settings_stays_an_error(
    second_host: Callable[..., flow.Project], tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        second_host(data_source="another.csv").ingest()
    with pytest.raises(NotFoundError, match="no such file"):
        second_host(data_exclude=("region",)).ingest()
    project = second_host()
    with (project.folder / "schema.toml").open("a", encoding="utf-8") as contract:
        contract.write("\n# another contract\n")
    with pytest.raises(NotFoundError, match="no such file"):
        project.ingest()
    file = write_people(tmp_path / "fresh" / "people.csv")
    folder = begin(tmp_path / "fresh" / "project", file)
    file.unlink()
    with flow.Project.open(folder) as fresh, pytest.raises(NotFoundError, match="no such file"):
        fresh.run()


def test_the_newest_reading_goes_on_and_not_the_newest_that_was_made(tmp_path: Path) -> None:
    file = write_people(tmp_path / "people.csv")
    folder = begin(tmp_path / "project", file)
    before = file.read_bytes()
    with flow.Project.open(folder) as project:
        first = project.ingest()
        add_line(file, row(N_ROWS))
        second = project.ingest()
        file.rename(tmp_path / "away.csv")
        assert project.ingest() == second != first
        file.write_bytes(before)  # the source was put back to what it was
        assert project.ingest() == first
        file.unlink()
        assert project.ingest() == first


def test_a_database_that_is_gone_is_no_end_and_one_that_says_no_is(postgres_server: Server, tmp_path: Path) -> None:
    import psycopg

    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("create database shop")
        database = Database(postgres_server.url("shop"))
        folder = begin(tmp_path / "project", database.url, query="select * from people order by customer")
        with flow.Project.open(folder) as project:
            known = project.ingest()
            database.run("alter table people rename to persons")
            with pytest.raises(InputError, match="people"):
                project.ingest()
            connection.execute("drop database shop with (force)")
            assert project.ingest() == known
            assert "cannot be reached" in project.warnings[0]
    with (
        flow.Project.open(folder, flags={"data.query": "select * from persons"}) as project,
        pytest.raises(UnavailableError, match="cannot be reached"),
    ):
        project.ingest()  # it was never asked this
