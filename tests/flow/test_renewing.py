"""From labels to a released model, on real rows: what is collected, trained, compared, released or refused."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from click.testing import CliRunner

from palio import flow, renew, split
from palio.cli.app import palio
from palio.core.errors import ConflictError, NotFoundError, RefusedError
from palio.core.progress import SILENT
from palio.core.records import Decision, Evaluation, Parts, Search, Snapshot
from palio.core.renewal import RetrainRequest
from palio.flow import appending, collecting, renewal_steps, renewing
from palio.flow.supervising import Supervisor
from tests.flow.conftest import write_bank
from tests.flow.served import answer_rows, send_truths, truths_of
from tests.renew.test_planning import finding, review

Opened = Callable[..., flow.Project]
MARGIN = 0.25
"""What a challenger may lose: few rows leave much to chance, and how sure the gate can be is tested elsewhere."""
N_NEW = 1200


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a linear champion, on one of 24 rows of the file."""
    folder = tmp_path_factory.mktemp("renewed") / "bank"
    folder.mkdir()
    file = write_bank(folder / "bank.csv", n_rows=1850, skip=0, step=24)
    flow.init(str(file), target="y", folder=folder, exclude=("duration",))
    settings = folder / "palio.toml"
    text = settings.read_text("utf-8").replace("budget_s = 300", 'budget_s = 20\ntrials = 3\nfamilies = ["linear"]')
    settings.write_text(text.replace("non_inferiority = 0.0", f"non_inferiority = {MARGIN}"), "utf-8")
    with flow.Project.open(folder) as project:
        assert project.run().decision.verdict == "yes"
    return folder


@pytest.fixture
def opened(trained: Path, tmp_path: Path) -> Iterator[Opened]:
    """Open a copy of the project, with a table `[retrain]` if one is given."""
    projects: list[flow.Project] = []

    def open_copy(retrain: str = "", *, non_inferiority: float = MARGIN) -> flow.Project:
        folder = tmp_path / f"copy{len(projects)}"
        shutil.copytree(trained, folder)
        settings = folder / "palio.toml"
        text = settings.read_text("utf-8").replace(
            f"non_inferiority = {MARGIN}", f"non_inferiority = {non_inferiority}"
        )
        settings.write_text(f"{text}\n[retrain]\n{retrain}\n", "utf-8")
        projects.append(flow.Project.open(folder))
        return projects[-1]

    yield open_copy
    for project in projects:
        project.close()


def serve(project: flow.Project, *, n_rows: int = N_NEW, skip: int = 1, **changed: Any) -> list[str]:
    """Answer rows that the project does not have, spread over the file like its own."""
    return answer_rows(project, project.folder, n_rows=n_rows, skip=skip, step=12, **changed)


def kinds(project: flow.Project, begin: str = "renew.retrain.") -> list[str]:
    return [event.kind.removeprefix(begin) for event in project.store.ledger.events(kind=begin)]


def decision_of(project: flow.Project, found: renew.RenewalStanding) -> Decision:
    return project.store.records.require(Decision, found.renewal.decision)


def planned(project: flow.Project, **changed: Any) -> RetrainRequest:
    request = renewing.plan(project, why="a test").request
    assert request is not None
    return renew.write_plan(project.store, msgspec.structs.replace(request, **changed)).request


def test_labels_that_came_are_learned_from_and_a_better_model_goes_live(opened: Opened) -> None:
    project = opened()
    serve(project)
    before = project.store.promotions.champion("bank")
    found = project.retrain(why="spring")
    assert found.renewal.status == "released", found.renewal.reason
    assert kinds(project) == ["plan", "begin", "collect", "train", "judge", "release"]
    after = project.store.promotions.champion("bank")
    assert before is not None and after is not None and (before.version, after.version) == (1, 2)
    decision = decision_of(project, found)
    assert decision.newest is not None and decision.earlier is not None and decision.comparison is not None
    assert decision.newest.n_rows + decision.earlier.n_rows == decision.comparison.n_rows
    assert 150 <= decision.newest.n_rows <= 350  # a fifth of the new rows is in the test part
    assert found.renewal.n_rows == found.request.n_labels == N_NEW
    _the_test_part_grew_and_kept_its_rows(project)
    told = renew.loop_story(project.store.ledger.events())
    for word in (
        "Renewal ",
        "decided",
        "collected",
        "trained",
        "compared",
        "released",
        "A person asked for it: spring.",
    ):
        assert word in told
    assert renewing.plan(project, why="again").reason.startswith("No labelled rows have come")


def _the_test_part_grew_and_kept_its_rows(project: flow.Project) -> None:
    new, old = project.store.records.all(Parts, newest_first=True)[:2]
    sides = [project.store.blobs.get(parts.assignment) for parts in (old, new)]
    moved = sum(a != b for a, b in zip(*sides, strict=False) if 255 not in (a, b))
    assert moved == 0 and new.counts["test"] > old.counts["test"]
    # The first cut was looked at once, the second showed all of its rows: what they share was seen twice.
    assert split.looks(project.store, new) == 2


class Growing:
    """A listener that brings the source one more row whenever it hears a sentence."""

    def __init__(self, file: Path, rows: list[str]) -> None:
        self._file, self._rows = file, rows

    def say(self, text: str) -> None:
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(self._rows.pop())

    def step(self, name: str, done: float, total: float | None = None) -> None:
        pass


def test_a_renewal_goes_on_from_what_it_collected_while_the_source_grows(opened: Opened) -> None:
    project = opened()
    serve(project)
    more = write_bank(project.folder / "more.csv", n_rows=50, skip=7, step=12).read_text("utf-8").splitlines(True)
    project.progress = Growing(project.folder / "bank.csv", more[1:])
    before = len(project.store.records.all(Search))
    found = project.retrain(why="spring")
    assert found.renewal.status == "released", found.renewal.reason
    decision, search = decision_of(project, found), project.store.records.require(Search, found.renewal.search)
    evaluation = project.store.records.require(Evaluation, decision.evaluation)
    parts = project.store.records.require(Parts, search.parts)
    assert parts.snapshot == evaluation.snapshot == found.renewal.snapshot
    assert project.bundle().manifest.snapshot == found.renewal.snapshot
    assert len(project.store.records.all(Search)) == before + 1
    assert decision.newest is not None and decision.earlier is not None, "the newest rows are known for what they are"
    project.progress = SILENT
    again = project.ingest()
    assert again.n_rows > project.store.records.require(Snapshot, found.renewal.snapshot).n_rows, "they come next"


def test_rows_are_added_once_and_a_label_that_changed_is_noted(opened: Opened) -> None:
    project = opened("min_labels = 1")
    ids = serve(project, n_rows=300)
    first = collecting.collect(project, planned(project, n_labels=300))
    renew.withdraw(project.store, "bank")
    send_truths(project, ids[:40], ["yes"] * 40)
    serve(project, n_rows=100, skip=5, request="later")
    request = planned(project)
    assert request.n_labels == 100
    rows, added = collecting.collect(project, request)
    assert (rows.n_rows, added.n_rows, first[0].n_rows) == (100, 100, 300)
    assert 20 <= rows.n_corrected <= 40  # of forty rows most were a no
    assert collecting.collect(project, request) == (rows, added)
    assert len(project.store.records.all(appending.Appended)) == 2


def test_a_world_that_changed_may_cost_the_rows_of_before_and_that_is_said(opened: Opened) -> None:
    project = opened('on = ["concept_drift"]')
    serve(project, n_rows=3000, flip=1.0)
    seen = review(finding("concept_drift", version=1))
    request = renewing.plan(project, seen).request
    assert request is not None and request.may_lose_earlier
    found = renewing.carry_out(project, renew.write_plan(project.store, request).request.id)
    assert found.renewal.status == "released", found.renewal.reason
    reasons = {check.name: check.reason for check in decision_of(project, found).checks}
    assert "may be lost, for the world has changed" in reasons["earlier_rows"]


@pytest.mark.slow
def test_in_a_world_that_turned_around_the_newest_rows_alone_make_the_challenger(opened: Opened) -> None:
    project = opened()
    serve(project, n_rows=3700, flip=1.0)
    request = planned(project, may_lose_earlier=True, budget_s=20.0)
    found = renewing.carry_out(project, request.id)
    trained = next(e for e in project.store.ledger.events(kind="renew.retrain.train"))
    assert "It learned from the newest rows alone" in trained.text, trained.text
    assert found.renewal.status == "released", found.renewal.reason
    decision = decision_of(project, found)
    assert decision.newest is not None and decision.newest.difference.low > 0.1
    assert decision.earlier is not None and decision.earlier.difference.high < 0
    search = project.store.records.require(Search, found.renewal.search)
    few = project.store.records.require(Parts, search.parts)
    whole = next(p for p in project.store.records.all(Parts, newest_first=True) if p.first_row is None)
    assert few.first_row is not None and few.counts["test"] == whole.counts["test"]
    assert few.counts["train"] < whole.counts["train"] and few.test_id == whole.test_id
    grown = project.split()
    assert grown.first_row is None, "the next cut grows out of the whole one"


@pytest.mark.slow
def test_without_such_a_finding_a_model_that_forgets_is_refused(opened: Opened) -> None:
    project = opened(non_inferiority=0.15)  # what may be forgotten without a word
    serve(project, n_rows=3000, flip=1.0)
    found = project.retrain(why="labels look odd")
    assert found.renewal.status == "refused" and "nothing says that the world has changed" in found.renewal.reason
    champion = project.store.promotions.champion("bank")
    assert champion is not None and champion.version == 1
    assert kinds(project)[-1] == "refuse"


def test_a_new_class_waits_for_a_person_and_goes_live_when_one_approves(opened: Opened) -> None:
    project = opened()
    ids = serve(project)
    send_truths(project, ids[:200], ["maybe"] * 200)
    found = project.retrain()
    assert (found.renewal.status, found.renewal.reason) == ("judged", "waits for a person")
    decision = decision_of(project, found)
    assert decision.verdict == "needs_approval" and "with the new maybe" in decision.reasons[0]
    assert decision.comparison is None
    waiting = renewing.advance(project, found.request.id)
    assert waiting.line == found.line
    with pytest.raises(ConflictError, match="under way"):
        renew.write_plan(project.store, found.request)
    project.approve(decision.id[:12], reason="we sell three things now")
    assert renewing.advance(project, found.request.id).renewal.status == "released"


def test_a_request_about_classes_asks_for_a_person_even_if_all_is_well(opened: Opened) -> None:
    project = opened()
    serve(project)
    request = planned(project, kind="classes")
    found = renewing.carry_out(project, request.id)
    assert found.renewal.status == "judged" and decision_of(project, found).verdict == "needs_approval"
    withdrawn = project.withdraw_renewal(reason="not now")
    assert withdrawn.renewal.status == "refused"
    champion = project.store.promotions.champion("bank")
    assert champion is not None and champion.version == 1


def test_a_canary_is_followed_to_its_end(opened: Opened) -> None:
    project = opened('release = "canary"\nrollout = "steps.toml"')
    (project.folder / "steps.toml").write_text('[[steps]]\nkind = "shadow"\n[[steps]]\nkind = "pause"\n')
    serve(project)
    found = project.retrain()
    assert found.renewal.status == "releasing"
    rollout = renew.standing(project.store, "bank")
    assert rollout is not None and found.renewal.rollout == rollout.rollout.id
    assert [step.kind for step in rollout.rollout.steps] == ["shadow", "pause"]
    assert renewing.advance(project, found.request.id).line == found.line
    shutil.copytree(project.folder, project.folder.with_name("other"))
    renew.act(project.store, "bank", "promote")
    assert renewing.advance(project, found.request.id).renewal.status == "released"
    with flow.Project.open(project.folder.with_name("other")) as other:
        renew.act(other.store, "bank", "abort", reason="the server shook")
        ended = renewing.advance(other, found.request.id).renewal
        assert ended.status == "refused" and "aborted: the server shook" in ended.reason
        champion = other.store.promotions.champion("bank")
        assert champion is not None and champion.version == 1


def test_without_labels_nothing_is_planned(opened: Opened) -> None:
    project = opened('schedule = "daily"')
    serve(project, labels=False)
    with pytest.raises(RefusedError, match="nothing new to learn"):
        project.retrain(why="please")
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    found = renewing.plan(project, clock=lambda: tomorrow)
    assert found.request is None and "Only 0 labelled rows" in found.reason
    assert kinds(project) == []


def test_shadows_and_rows_without_an_input_are_left_out(opened: Opened) -> None:
    project = opened("min_labels = 1")
    serve(project, n_rows=50, request="shadow", role="shadow")
    serve(project, n_rows=60, skip=2, request="lacks", without=("age",))
    serve(project, n_rows=70, skip=3, request="canary", role="challenger")
    rows, _ = collecting.collect(project, planned(project))
    assert (rows.n_rows, rows.n_unfit) == (70, 60)


def test_cells_come_back_as_they_were_read(opened: Opened) -> None:
    project = opened()
    serve(project, n_rows=400)
    rows, _ = collecting.collect(project, planned(project))
    back = pl.read_parquet(project.folder / rows.path)
    source = pl.read_csv(project.folder / "r.csv", null_values=["unknown"], infer_schema_length=None)
    features = [column.name for column in project.bundle().manifest.schema.features]
    for name in [*features, "y"]:
        mine, theirs = (frame[name].cast(pl.String).str.strip_suffix(".0") for frame in (back, source))
        kept = theirs.is_not_null()
        assert mine.filter(kept).to_list() == theirs.filter(kept).to_list(), name
    mode = (project.folder / rows.path).stat().st_mode & 0o777
    assert mode == 0o600


def test_rows_that_break_the_contract_are_counted_and_kept_apart(opened: Opened) -> None:
    project = opened()
    serve(project, n_rows=300, n_broken=12)
    found = planned(project)
    standing = renew.renewal_standing(project.store, "bank")
    assert standing is not None and standing.request == found
    renewal, text, _ = renewal_steps.collect(project, standing)
    assert renewal.n_rows == 288 and "Left out: 12 broke the contract and are in quarantine." in text
    assert renewal_steps.collect(project, standing)[:2] == (renewal, text)


def test_the_newest_request_alone_is_carried_out_and_by_one_process(opened: Opened) -> None:
    project = opened()
    serve(project)
    with pytest.raises(NotFoundError, match="is not the newest"):
        renewing.carry_out(project, "abcdef")
    request = planned(project)
    with renewing._lease(project, request.id), pytest.raises(ConflictError, match="another process"):
        renewing.carry_out(project, request.id)
    assert kinds(project) == ["plan"]


def test_what_never_comes_to_an_end_is_given_up(opened: Opened) -> None:
    project = opened()
    serve(project)
    request = planned(project)
    found = renew.renewal_standing(project.store, "bank")
    assert found is not None
    tired = msgspec.structs.replace(found.renewal, attempts=renewing.MOST_ATTEMPTS)
    renew.write_renewal(project.store, found, tired, "Again.", kind="begin")
    assert renewing.carry_out(project, request.id).renewal.status == "failed"


def test_the_verbs_say_whether_a_renewal_is_due_and_why_not(opened: Opened) -> None:
    project = opened("new_labels = 100")
    folder = str(project.folder)
    run = CliRunner().invoke(palio, ["retrain", "--plan-only", "--dir", folder])
    assert run.exit_code == 0 and run.stdout.startswith("no renewal: Nothing asks for a renewal")
    serve(project, n_rows=600)
    run = CliRunner().invoke(palio, ["retrain", "--plan-only", "--dir", folder, "--json"])
    assert json.loads(run.stdout)["request"]["n_labels"] == 600
    assert kinds(project) == []
    run = CliRunner().invoke(palio, ["watch", "--once", "--no-train", "--dir", folder])
    assert "Planned renewal" in run.stdout and kinds(project) == ["plan"]
    run = CliRunner().invoke(palio, ["log", "--loop", "--dir", folder])
    assert "decided" in run.stdout and "600 new labelled rows have come" in run.stdout
    run = CliRunner().invoke(palio, ["retrain", "--withdraw", "--why", "holiday", "--dir", folder])
    assert run.exit_code == 0 and "withdrawn: holiday" in run.stdout
    run = CliRunner().invoke(palio, ["retrain", "--withdraw", "--dir", folder])
    assert run.exit_code == 3


def test_labels_are_not_counted_again_until_feedback_comes(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    project = opened("new_labels = 5000")
    serve(project, n_rows=100)
    counted: list[int] = []
    real = collecting.count

    def count(*arguments: Any, **named: Any) -> collecting.Counts:
        counted.append(1)
        return real(*arguments, **named)

    monkeypatch.setattr(collecting, "count", count)
    with Supervisor(project, may_train=False) as supervisor:
        for _ in range(3):
            supervisor.look(whole=True)
        assert len(counted) == 1
        serve(project, n_rows=10, skip=2, request="more")
        assert "no finding" in supervisor.look(whole=True).plan
        assert len(counted) == 2


@pytest.mark.slow
def test_killed_at_each_step_it_ends_as_if_nothing_had_been(opened: Opened) -> None:
    whole, killed = opened(), opened()
    for project in (whole, killed):
        serve(project)
        planned(project, at=dt.datetime(2026, 5, 4, tzinfo=dt.UTC))
    found = renew.renewal_standing(whole.store, "bank")
    assert found is not None
    calm = renewing.carry_out(whole, found.request.id).renewal
    steps = ("begin", "collect", "train", "judge", "release")
    for kind in ("begin", "Collected", "Appended", "collect", "Search", "train", "Assessment", "judge", "release"):
        for moment in ("before", "after"):
            if (kind, moment) == ("Appended", "after"):
                continue  # nothing is left to be done of it
            command = [sys.executable, "-m", "tests.flow.killed", str(killed.folder), kind, moment]
            assert subprocess.run(command, check=False).returncode == -signal.SIGKILL, (kind, moment)
    for _ in range(2):  # what is over stays as it is
        done = subprocess.run([sys.executable, "-m", "tests.flow.killed", str(killed.folder), "", ""], check=False)
        assert done.returncode == 0
    after = renew.renewal_standing(killed.store, "bank")
    assert after is not None
    assert (after.renewal.status, after.renewal.n_rows) == (calm.status, calm.n_rows)
    assert after.renewal.snapshot == calm.snapshot
    assert [killed.store.ledger.count(f"renew.retrain.{kind}", "bank") for kind in steps[1:]] == [1, 1, 1, 1]
    assert len(killed.store.records.all(appending.Appended)) == 1
    assert len(killed.store.promotions.history("bank")) == len(whole.store.promotions.history("bank"))
    newest = killed.store.records.all(Parts, newest_first=True)[0]
    assert split.looks(killed.store, newest) == 2
    killed.store.ledger.verify()


@pytest.mark.slow
def test_a_fall_in_quality_is_seen_and_a_model_of_the_new_world_goes_live(opened: Opened) -> None:
    project = opened('on = ["quality"]\nmin_labels = 300')
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    for number in range(6):
        at = now - (7 - number) * day
        name = f"day{number}"
        ids = serve(project, n_rows=500, skip=1 + number, request=name, at=at, every_s=150, labels=False)
        truths = truths_of(project.folder / f"{name}.csv", flip=1.0 if number >= 1 else 0.0)
        send_truths(project, ids, truths, at=at + day, clock=lambda at=at: at + day)  # type: ignore[misc]
    with project.supervise() as supervisor:
        looked = supervisor.look(whole=True)
        assert looked.verdict == "act" and looked.is_training, looked
        supervisor.wait_for_training()
        looked = supervisor.look()
    assert looked.renewal is not None and looked.renewal.status == "released", [
        (line.kind, line.text) for line in project.store.ledger.events(kind="renew.retrain.")
    ]
    found = renew.renewal_standing(project.store, "bank")
    assert found is not None and found.request.by == "policy" and found.request.may_lose_earlier
    assert found.request.answered_before is not None
    told = renew.loop_story(project.store.ledger.events())
    assert "  seen  " in told
    decision = decision_of(project, found)
    assert decision.earlier is not None and decision.earlier.difference.high < 0, "what was true before is unlearned"
    assert "that may be lost, for the world has changed since" in " ".join(decision.reasons)


@pytest.mark.slow
def test_two_supervisors_at_once_train_once(opened: Opened) -> None:
    project = opened("new_labels = 500")
    serve(project)
    command = [sys.executable, "-m", "palio", "watch", "--dir", str(project.folder)]
    both = [subprocess.Popen([*command, "--once"], stdout=subprocess.PIPE, env=dict(os.environ)) for _ in range(2)]
    told = [process.communicate(timeout=240)[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    lines = kinds(project)
    assert {kind: lines.count(kind) for kind in lines} == dict.fromkeys(lines, 1), told
    assert lines[-1] == "release" and lines[:2] == ["plan", "begin"]
    assert len(project.store.ledger.events(kind="train.search")) == 2
    assert any("is done: its challenger is the champion, version 2" in text for text in told)
