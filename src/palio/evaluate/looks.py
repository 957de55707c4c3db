"""Looks at what rows hold beside numbers: pictures and texts, each by its own wing, entered only where it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from palio.core.progress import SILENT, Progress
from palio.core.records import Comparison, Evaluation, Task
from palio.evaluate.answers import Array
from palio.evaluate.segmenting import Segment
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

    from palio.evaluate.pictures import Looked as Pictures
    from palio.evaluate.texts import Looked as Texts
    from palio.model import Bundle


@dataclass(frozen=True)
class Looks:
    """What of the judged rows can be looked at."""

    pictures: Pictures | None = None
    texts: Texts | None = None

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return slices of these rows that their columns do not tell."""
        return tuple(segment for one in (self.pictures, self.texts) if one is not None for segment in one.segments)

    def told(
        self, evaluation: Evaluation, learned: tuple[pl.DataFrame, Array], *, seed: int, progress: Progress = SILENT
    ) -> dict[str, Any]:
        """Return what was seen, by the fields of an evaluation."""
        found: dict[str, Any] = {}
        if self.pictures is not None:
            from palio.evaluate import pictures

            found["sight"] = pictures.sight(self.pictures, evaluation, learned=learned, seed=seed, progress=progress)
        if self.texts is not None:
            from palio.evaluate import texts

            found["wordings"] = texts.wordings(self.texts, learned=learned, seed=seed, progress=progress)
        return found

    def compared(self, comparison: Comparison, before: Answers) -> Comparison:
        """Add pictures and texts that two models answer otherwise."""
        found: dict[str, Any] = {}
        if self.pictures is not None:
            from palio.evaluate import pictures

            found["galleries"] = pictures.differences(self.pictures, before)
        if self.texts is not None:
            from palio.evaluate import texts

            found["texts"] = texts.differences(self.texts, before)
        return msgspec.structs.replace(comparison, **found)


def look_at(
    bundle: Bundle,
    frame: pl.DataFrame,
    truth: Array,
    answers: Answers,
    *,
    task: Task,
    seed: int,
    deadline: float | None,
) -> Looks:
    """Open what there is to look at; arguments as of the wings."""
    schema = bundle.manifest.schema
    how: Any = {"task": task, "seed": seed, "deadline": deadline}
    found: dict[str, Any] = {}
    if schema.modality == "image":
        from palio.evaluate import pictures

        found["pictures"] = pictures.opened(bundle, frame, truth, answers, **how)
    if any(column.type == "text" for column in schema.features):
        from palio.evaluate import texts

        found["texts"] = texts.opened(bundle, frame, truth, answers, **how)
    return Looks(**found)
