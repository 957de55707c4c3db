"""Read the judged texts once, and gather all that is told of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from palio.core.progress import SILENT, Progress
from palio.core.records import Task, TextGallery, Wording
from palio.core.seeds import derive
from palio.core.words import listed
from palio.evaluate.answers import Array
from palio.evaluate.effects import within
from palio.evaluate.segmenting import MIN_ROWS, Segment
from palio.evaluate.texts.asking import Asked
from palio.evaluate.texts.checks import text_checks
from palio.evaluate.texts.cues import Pool, find_cues
from palio.evaluate.texts.galleries import changed, explained, galleries
from palio.evaluate.texts.languages import UNKNOWN, languages
from palio.evaluate.texts.limits import read_in_part, unasked
from palio.evaluate.texts.remedies import Learned, advised
from palio.evaluate.texts.telling import telling_words
from palio.evaluate.texts.topics import topics
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle

KIND = "classification"
"""Of tasks whose texts are looked at."""
MAX_COLUMNS = 3
"""Columns of texts that are looked at, the longest first."""
MAX_ROWS = 20_000
"""Judged rows that are looked at."""
MAX_POOL = 20_000
"""Rows learned from in which cues are sought; some hundred of each class are read."""
LEAST_S = 10.0
"""Seconds that looking may take though the time is over."""
SHARES = {"cues": 0.35, "words": 0.4, "checks": 0.6}
"""Of the time that is left when its turn comes; what comes last (single answers) has the rest."""
N_TIMED = 8
LEAST_CUT = 0.02
"""Share of the judged texts whose ends are not read from which on that is said: networks read 99 of 100 to the end."""


@dataclass(frozen=True)
class Looked:
    """Judged texts of some columns, and slices of them."""

    columns: tuple[Asked, ...]
    groups: tuple[Segment, ...]
    rows: Array | None
    """Places of the rows that were taken; None: all."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return slices by language and subject; none where only some rows were looked at."""
        return self.groups if self.rows is None else ()


def opened(
    bundle: Bundle,
    frame: pl.DataFrame,
    truth: Array,
    answers: Answers,
    *,
    task: Task,
    seed: int = 0,
    deadline: float | None = None,
) -> Looked | None:
    """Take judged texts (some of very many) and group them; None where no text is read, or all answers are the same.

    Args:
        bundle: The model.
        frame: Rows with a known answer.
        truth: Of these.
        answers: Of the model.
        task: What was asked.
        seed: Of all draws.
        deadline: Moment on `time.monotonic` by which all should be done.
    """
    names = [column.name for column in bundle.manifest.schema.features if column.type == "text"]
    if task.kind != KIND or not names or len(np.unique(np.asarray(answers.prediction))) < 2:
        return None
    rows = None
    if frame.height > MAX_ROWS:
        rows = np.sort(np.random.default_rng(derive(seed, "texts")).choice(frame.height, MAX_ROWS, replace=False))
        frame, truth, answers = frame[rows], truth[rows], answers.take(rows)
    texts = {name: frame.get_column(name).cast(str).fill_null("").to_list() for name in names}
    names = sorted(names, key=lambda name: -sum(map(len, texts[name])))[:MAX_COLUMNS]
    columns = [Asked(bundle, name, frame, truth, answers, task, deadline=deadline, texts=texts[name]) for name in names]
    groups = [segment for asked in columns for segment in _groups(asked, seed=seed)]
    return Looked(tuple(columns), tuple(groups), rows)


def _groups(asked: Asked, *, seed: int) -> list[Segment]:
    told = np.array(languages(asked.texts))
    found = [
        Segment(asked.column, "of no language that is told" if name == UNKNOWN else f"in {name}", told == name)
        for name in sorted(set(told.tolist()))
        if MIN_ROWS <= (told == name).sum() <= len(told) - MIN_ROWS
    ]
    return [*found, *topics(asked.column, asked.texts, seed=seed)]


def wordings(
    looked: Looked, *, learned: tuple[pl.DataFrame, Array], seed: int = 0, progress: Progress = SILENT
) -> tuple[Wording, ...]:
    """Gather all that is told of judged texts, column by column, as far as there is time; ten seconds there always are.

    Args:
        looked: The texts.
        learned: Rows that the model learned from, and their truth.
        seed: Of all draws.
        progress: Told what was found.
    """
    frame, truth = learned
    if frame.height > MAX_POOL:
        rows = np.sort(np.random.default_rng(derive(seed, "pool of texts")).choice(frame.height, MAX_POOL, False))
        frame, truth = frame[rows], truth[rows]
    deadline = looked.columns[0].deadline
    if deadline is not None:
        deadline = max(deadline, time.monotonic() + LEAST_S)
    found = []
    for place, asked in enumerate(looked.columns):
        own = within(replace(asked, deadline=deadline), 1 / (len(looked.columns) - place))
        pool = Pool(frame.get_column(asked.column).cast(str).fill_null("").to_list(), truth)
        found.append(_wording(_timed(own), pool, seed=seed, progress=progress))
    return tuple(found)


def _wording(asked: Asked, pool: Pool, *, seed: int, progress: Progress) -> Wording:
    cues, n_tries, is_searched = find_cues(within(asked, SHARES["cues"]), pool, seed=seed)
    for cue in (one for one in cues if one.moves):
        progress.say(
            f"evaluate  the model answers “{cue.label}” for “{cue.words}”: {cue.n_moved} of {cue.n_tried} other texts "
            f"are called so once it is written into them ({cue.n_control} with another word)"
        )
    progress.step("texts", 1, 4)
    words, n_classes = telling_words(
        within(asked, SHARES["words"]), np.random.default_rng(derive(seed, "telling words"))
    )
    progress.step("texts", 2, 4)
    rows = np.random.default_rng(derive(seed, "learned texts")).permutation(len(pool.texts))
    checks, n_changes = text_checks(
        within(asked, SHARES["checks"]), [pool.texts[row] for row in rows], pool.truth[rows], seed=seed
    )
    progress.step("texts", 3, 4)
    shown, n_unexplained = explained(asked, galleries(asked))
    learned = Learned([pool.texts[row] for row in rows], pool.truth[rows])
    shown = tuple(advised(one, learned, asked.task.classes) if one.kind == "surely_wrong" else one for one in shown)
    progress.step("texts", 4, 4)
    left_out = unasked(is_searched, n_tries, n_classes, n_changes, n_unexplained)
    if left_out:
        progress.say(f"evaluate  its time was over; of `{asked.column}` it is not known {listed(left_out)}")
    n_cut, reads = read_in_part(asked)
    if n_cut > LEAST_CUT * len(asked.texts):
        progress.say(
            f"evaluate  {100 * n_cut / len(asked.texts):.0f} % of the judged texts in `{asked.column}` go on behind "
            f"the {reads} that the model reads: what stands there moves no answer"
        )
    told = languages(asked.texts)
    said, p = asked.again([0], [""])
    return Wording(
        column=asked.column,
        n_rows=len(asked.texts),
        words=words,
        cues=cues,
        n_tries=n_tries,
        is_searched=is_searched,
        n_too_few=sum(not pool.is_comparable(label) for label in range(len(asked.task.classes))),
        checks=checks,
        galleries=shown,
        languages={name: told.count(name) for name in sorted(set(told))},
        empty_answer=asked.task.classes[int(said[0])] if len(asked.bundle.manifest.schema.features) == 1 else "",
        empty_probability=float(p[0, int(said[0])]),
        n_cut=n_cut,
        reads=reads,
        left_out=left_out,
    )


def differences(looked: Looked, before: Answers) -> tuple[TextGallery, ...]:
    """Show texts that another model answered otherwise, with `before`, its answers to all judged rows."""
    before = before if looked.rows is None else before.take(looked.rows)
    return changed(looked.columns[0], before)


def _timed(asked: Asked) -> Asked:
    """Measure what an answer takes."""
    rows = list(range(min(N_TIMED, len(asked.texts))))
    started = time.perf_counter()
    asked.again(rows, [asked.texts[row] for row in rows])
    return replace(asked, pace=(time.perf_counter() - started) / len(rows))
