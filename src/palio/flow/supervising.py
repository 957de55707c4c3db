"""Watch over a model: its rollouts at every look; what was served, what follows from it, and renewals every minute.

Nothing is kept in memory that matters: what is to be done stands in the ledger, so a supervisor may be killed, and two
may run at once. Training happens in a process of its own, a review in a thread; rollouts are looked after meanwhile.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from palio import renew, store
from palio.core.clock import Clock, utc_now
from palio.core.durations import read_duration
from palio.core.errors import ConflictError, InputError, PalioError, UnavailableError
from palio.core.monitoring import Review
from palio.core.records import Record
from palio.core.renewal import Renewal
from palio.core.serving import RolloutState
from palio.flow import alerting, collecting, feedback, monitoring, renewing
from palio.flow.opened import Opened

REVIEW_EVERY_S = 60.0
"""A review reads the log. It comes four times a window where windows are shorter than four of these."""
REST = 9.0
"""After a review nothing is reviewed for so many times the CPU time that it took: a tenth of a core at most."""
AGAIN_AFTER_S = 60.0
"""After a training that was interrupted; doubled each time."""
LAST_BYTES = 4_096
"""Of what a training said, so much is looked at for its last words."""
ACTOR = "palio watch"
_TOLD = (renew.RENEWAL, alerting.KIND)


class Looked(Record, frozen=True, kw_only=True):
    """What one look found and did."""

    said: tuple[str, ...]
    """A sentence for each change; empty if there was nothing to do."""
    news: str = ""
    """How the champion does, whenever that has become something else."""
    state: RolloutState | None = None
    """Of the newest rollout."""
    renewal: Renewal | None = None
    """The newest."""
    verdict: str = ""
    """Of the newest review; empty if there is none."""
    plan: str = ""
    """Why a renewal was planned, or was not."""
    is_training: bool = False


class Supervisor:
    """Watch over the model of a project. Close it, or use it in a `with` block: a training it began ends with it.

    Args:
        project: Whose model.
        may_train: Whether this machine may train; if not, it plans, and looks after rollouts and what waits for them.
        clock: Tells the present moment.
    """

    def __init__(self, project: Opened, *, may_train: bool = True, clock: Clock = utc_now) -> None:
        self._project, self._may_train, self._clock = project, may_train, clock
        self._log = renew.StoredLog(feedback.log_folder(project), project.name)
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = ThreadPoolExecutor(1, "palio-review")
        self._reviewing: Future[list[str]] | None = None
        self._review_at_s = self._train_at_s = self._review_took_s = 0.0
        self._n_interrupted = 0
        self._review: Review | None = None
        self._plan = ""
        self._told: dict[str, str] = {}
        """What is said to be impossible, by what was tried: said once, and again only when it comes back."""
        self._known_state = ("", "")
        self._seen = project.store.ledger.head()[0]
        self._counted: tuple[object, collecting.Counts] = (None, collecting.Counts())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End a training that is under way; the next one goes on with it."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(10)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._thread.shutdown()

    def look(self, *, whole: bool = False) -> Looked:
        """Look once: rollouts, what was served, whether to plan, and what is planned.

        Args:
            whole: Review now, and wait for it; else a review that takes long is told of by a later look.

        Raises:
            UnavailableError: the store is out of reach, and `whole` was asked for; else that is told, and passes.
        """
        try:
            looked = self._look(whole=whole)
        except UnavailableError as error:
            if whole:
                raise
            return Looked(said=self._once("store", error))
        self._told.pop("store", None)
        return looked

    def _look(self, *, whole: bool) -> Looked:
        model, shelf = self._project.name, self._project.store
        watched = renew.watch_once(shelf, self._log, model, self._clock)
        said = [*watched.said, *self._reviewed(whole=whole), *self._tend()]
        lines = shelf.ledger.events(subject=model, after=self._seen)
        if lines:
            self._seen = lines[-1].sequence
        lines = [line for line in lines if line.kind.startswith(_TOLD)]
        found = renew.renewal_standing(shelf, model)
        return Looked(
            said=(*said, *(line.text for line in lines)),
            news=self._news(),
            state=None if watched.standing is None else watched.standing.state,
            renewal=None if found is None else found.renewal,
            verdict=self._review.verdict if self._review else "",
            plan=self._plan,
            is_training=self._child is not None and self._child.poll() is None,
        )

    def _review_every_s(self) -> float:
        try:
            window_s = read_duration(self._project.config.monitor.window).total_seconds()
        except InputError:  # the review itself will say so
            return REVIEW_EVERY_S
        return max(1.0, min(REVIEW_EVERY_S, window_s / 4))

    def wait_for_training(self) -> None:
        """Wait until a training that this supervisor began is over."""
        if self._child is not None:
            self._child.wait()

    def _reviewed(self, *, whole: bool) -> list[str]:
        """Begin a review if it is time for one, and take what the last one said."""
        if self._reviewing is None and (whole or time.monotonic() >= self._review_at_s):
            self._reviewing = self._thread.submit(self._look_at_what_was_served)
        if self._reviewing is None or not (whole or self._reviewing.done()):
            return []
        said = self._reviewing.result()
        pause_s = max(self._review_every_s(), REST * self._review_took_s)
        self._reviewing, self._review_at_s = None, time.monotonic() + pause_s
        return said

    def _look_at_what_was_served(self) -> list[str]:
        """Review the log, tell people, plan; what cannot be done here is said once, and the rest goes on."""
        said: list[str] = []
        begin = time.thread_time()
        for step in (self._monitor, self._alert, self._decide):
            try:
                step()
            except (PalioError, ImportError) as error:
                said += self._once(step.__name__, error)
            else:
                self._told.pop(step.__name__, None)
        self._review_took_s = time.thread_time() - begin
        return said

    def _news(self) -> str:
        """Say how the champion does whenever that has become something else."""
        if self._review is None:
            return ""
        from palio.report import watched

        worst = next((one for one in self._review.findings if one.severity != "note"), None)
        state = self._review.verdict, "" if worst is None else worst.id
        if state == self._known_state:
            return ""
        self._known_state = state
        return f"{watched.STATES[self._review.verdict]}. {self._review.text}"

    def _once(self, place: str, error: Exception) -> tuple[str, ...]:
        text = error.message if isinstance(error, PalioError) else f"not possible on this machine: {error}"
        if text in self._told.values():
            self._told[place] = text
            return ()
        self._told[place] = text
        return (f"{text[0].upper()}{text[1:]}.",)

    def _monitor(self) -> None:
        if self._project.store.promotions.champion(self._project.name) is None:
            return
        try:
            self._review = monitoring.look(self._project, clock=self._clock)
        except (PalioError, ImportError):  # what cannot be reviewed is not as it was: how it is, nobody knows
            self._review, self._known_state = None, ("", "")
            raise

    def _alert(self) -> None:
        if self._review is not None:
            alerting.tell(self._project, self._review, clock=self._clock)

    def _decide(self) -> None:
        found = renew.renewal_standing(self._project.store, self._project.name)
        if found is not None and not found.is_over:
            self._plan = f"Renewal {found.request.id} is under way ({found.renewal.status}): one at a time."
            return
        planned = renewing.plan(self._project, self._review, clock=self._clock, count=self._count)
        self._plan = planned.reason
        if planned.request is None:
            return
        with contextlib.suppress(ConflictError):  # another supervisor was first
            renew.write_plan(self._project.store, planned.request, actor=ACTOR, clock=self._clock)

    def _count(self, **moments: Any) -> collecting.Counts:
        """Count new labels again only if feedback has come since, or an hour has gone by."""
        folder, model = feedback.log_folder(self._project), self._project.name
        sizes = [path.stat().st_size for path in store.log_segments(folder, model, kind="feedback")]
        last = renew.renewal_standing(self._project.store, model)
        state = (sum(sizes), len(sizes), f"{self._clock():%Y%m%d%H}", None if last is None else last.request.id)
        if state != self._counted[0]:
            self._counted = state, collecting.count(self._project, **moments)
        return self._counted[1]

    def _tend(self) -> tuple[str, ...]:
        """Take what waits further, and see to it that what is planned is trained by exactly one process."""
        said: tuple[str, ...] = ()
        found = renew.renewal_standing(self._project.store, self._project.name)
        if found is None or found.is_over or found.renewal.status in renewing.WAITING:
            if self._child is not None and self._child.poll() is not None:
                self._child = None  # it came to its end
            self._n_interrupted, self._train_at_s = 0, 0.0
        if found is None or found.is_over:
            return ()
        try:
            if found.renewal.status in renewing.WAITING:
                renewing.advance(self._project, found.request.id, clock=self._clock)
            elif self._may_train:
                said = self._train(found.request.id)
        except (PalioError, ImportError) as error:
            return self._once("_tend", error)
        self._told.pop("_tend", None)
        return said

    def _train(self, request: str) -> tuple[str, ...]:
        said: tuple[str, ...] = ()
        if self._child is not None:
            if self._child.poll() is None:
                return ()
            said = self._last_words(self._child.returncode)
            self._child = None
            self._train_at_s = time.monotonic() + AGAIN_AFTER_S * 2**self._n_interrupted
            self._n_interrupted += 1
        if time.monotonic() < self._train_at_s or renewing.is_carried_out(self._project):
            return said
        palio = [sys.executable, "-P", "-m", "palio"]  # -P: a module in the working folder is not ours
        command = [*palio, "retrain", "--request", request, "--dir", str(self._project.folder)]
        with self._training_log.open("wb") as file:  # what it does stands in the ledger, too
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        return said

    @property
    def _training_log(self) -> Path:
        return store.Layout(self._project.folder).root / "retrain.log"

    def _last_words(self, code: int) -> tuple[str, ...]:
        """Say what a training that came to no end said last, and when it is tried again."""
        try:
            words = self._training_log.read_bytes()[-LAST_BYTES:].decode("utf-8", "replace").split("\n")
        except OSError:
            words = []
        last = next((line.strip() for line in reversed(words) if line.strip()), "it said nothing")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        again_s = AGAIN_AFTER_S * 2**self._n_interrupted
        return (f"The training ended with {how} and is tried again in {again_s:,.0f} s. Its last words: {last[:300]}",)
