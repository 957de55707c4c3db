"""What was seen of a model that judges pictures: galleries, cues, strains, and pictures that look alike."""

from __future__ import annotations

from typing import Literal

from palio.core.records.base import Record
from palio.core.records.model import PictureReading

GalleryKind = Literal[
    "right", "wrong", "surely_wrong", "near", "mended", "broken",
    "place", "class", "both", "double", "background", "missed",
]  # fmt: skip
DrawnKind = Literal["right", "missed", "alarm", "ignored"]
CueKind = Literal["place", "mark", "cast", "background"]


class Place(Record, frozen=True, kw_only=True):
    """A rectangle in the square that the model sees, or in a picture, as shares of its sides."""

    left: float
    top: float
    right: float
    bottom: float


class Drawn(Record, frozen=True, kw_only=True):
    """A box that is drawn into a picture."""

    kind: DrawnKind
    """Found; there and not found; said and not there; or not counted."""
    place: Place
    """In the picture as it is shown."""
    label: str
    score: float | None = None
    """Of one that was said."""
    stands_out: bool = False
    """Whether it is what its gallery is about."""


class Seen(Record, frozen=True, kw_only=True):
    """A picture, and what was answered to it."""

    picture: str
    """Identity of its bytes."""
    row_id: str
    truth: str
    prediction: str
    probability: float
    """Of the answer; of boxes, that of the surest one."""
    before: str = ""
    """What the champion answers, in a gallery that compares."""
    saliency: tuple[tuple[float, ...], ...] = ()
    """By how much the probability of the answer falls when a cell of a grid is covered, row by row; empty: not asked.
    The grid lies over the square that the model sees."""
    sides: tuple[float, float] | None = None
    """Of a picture with boxes: its width and height."""
    drawn: tuple[Drawn, ...] = ()


class Gallery(Record, frozen=True, kw_only=True):
    """Pictures of one kind."""

    kind: GalleryKind
    """`mended` and `broken`: wrong before and right now, and the other way round. Of boxes, also the kinds of error."""
    n_rows: int
    """Pictures of this kind in all."""
    pictures: tuple[Seen, ...]


class Sheet(Record, frozen=True, kw_only=True):
    """Some pictures of a slice."""

    column: str
    condition: str
    """Both as in the `Slice`."""
    pictures: tuple[str, ...]


class Transplant(Record, frozen=True, kw_only=True):
    """A picture onto which something of another one was put."""

    picture: str
    donor: str
    """The picture that the part was taken from; empty for a cast."""
    places: tuple[Place, ...] = ()
    """What of it was taken; of a background, what of the picture stayed."""
    cleared: tuple[Place, ...] = ()
    """Of a background: what is not ground in the donor."""
    prediction: str
    """What is answered then; empty where a thing is no longer found."""

    @property
    def name(self) -> str:
        """Name the picture that comes of it, among those of a report."""
        return f"{self.picture}+{self.donor}"


class Cue(Record, frozen=True, kw_only=True):
    """Something that many pictures of one class share and others lack: what a model may take for the class itself."""

    moves: bool = True
    """Whether it moves the answer to this class, beyond chance and by more than a trifle."""
    kind: CueKind
    """`place`: the same pixels at one place; `mark`: the same patch anywhere; `cast`: a tint of the whole picture;
    `background`: what lies around the things of a class."""
    label: str
    """The class that it speaks for."""
    where: str
    """In words: `the bottom strip`, `the border`, `the top left`."""
    places: tuple[Place, ...] = ()
    """Rectangles that hold it; of a `mark`, where it is in the first of the carriers."""
    gains: tuple[float, float, float] | None = None
    """Of a cast: red, green and blue of this class over those of the others."""
    share_of_class: float
    """Of the pictures of the class that carry it, on the rows that were learned from."""
    share_of_others: float
    n_tried: int
    """Pictures of other classes, rightly answered, that it was put onto."""
    n_moved: int
    """Of these, pictures that were then answered with the class."""
    n_control: int
    """The same with a like part of another picture of their own class in its stead."""
    push: float
    """By how much the probability of the class rises beyond the control, on average; of a background, also that of
    its things."""
    p_value: float
    """Of the push, one-sided, after correction for all that was tried."""
    n_things: int = 0
    """Of a background: judged things of the class that were put onto other grounds."""
    n_found_there: int = 0
    """Of these, things that are found on the ground of another picture with the class."""
    n_found_elsewhere: int = 0
    """The same on the ground of a picture without it."""
    n_with: int = 0
    """Judged pictures of the class that carry it, and how many of them are recognised."""
    n_with_right: int = 0
    n_without: int = 0
    n_without_right: int = 0
    carriers: tuple[str, ...] = ()
    """Identities of some pictures that carry it."""
    examples: tuple[Transplant, ...] = ()
    """Pictures that it moved."""
    countermeasure: str


class Strain(Record, frozen=True, kw_only=True):
    """How a change of the pictures that should not matter moves the metric."""

    change: str
    """`as they are`, `blur`, `resolution`, `JPEG`, `light`, `noise`, `colour`, `turned`."""
    level: str
    score: float
    low: float
    high: float
    n_changed: int
    """Pictures that get another answer."""
    statistics: dict[str, float]
    """Medians of what describes the pictures after the change, by the names of `palio.pixels.STATISTICS`."""


class Sight(Record, frozen=True, kw_only=True):
    """All that was seen of one column of pictures."""

    column: str
    reading: PictureReading
    """How the model sees them: galleries, places and sheets are in this square."""
    n_rows: int
    """Pictures that were looked at."""
    galleries: tuple[Gallery, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    cues: tuple[Cue, ...] = ()
    """First those that move the answer, the strongest first."""
    n_tries: int = 0
    """Candidates for cues that the model was asked about."""
    is_comparable: bool = True
    """Whether there were enough pictures with and without a class to look for what it has in common."""
    is_searched: bool = True
    """Whether the search for cues came to its end in time."""
    strains: tuple[Strain, ...] = ()
    """The first one is of the pictures as they are."""
