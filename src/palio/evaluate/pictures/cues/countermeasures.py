"""What to do against a cue."""

from __future__ import annotations

import msgspec

from palio.core.records import Cue


def advised(cue: Cue) -> Cue:
    """Return a cue with what to do about it."""
    return msgspec.structs.replace(cue, countermeasure=_advice(cue))


def _advice(cue: Cue) -> str:
    label = f"“{cue.label}”"
    if cue.kind == "cast":
        red, green, blue = (1 / gain for gain in cue.gains or (1, 1, 1))
        return (
            f"Bring pictures of {label} without this tint and of the others with it; or take it off the pictures that "
            f"have it (red × {red:.2f}, green × {green:.2f}, blue × {blue:.2f}), or make all pictures grey. "
            "Then ingest them and train again."
        )
    if cue.kind == "background":
        return (
            f"Bring pictures of {label} on other grounds, and pictures of this ground on which there is none (without "
            "a box they count, too): some dozens of each say more than hundreds of the same place. Then ingest them "
            "and train again; if it is gone from this report, the model looks at something else."
        )
    if cue.kind == "place":
        how = f"cover or cut off {cue.where} ({_extent(cue)}) in all pictures, of every class alike"
    else:
        how = "cover the mark in the pictures that carry it"
    return (
        f"Bring pictures of {label} without it, or of the others with it; or {how}. "
        "Then ingest them and train again; if it is gone from this report, the model looks at something else."
    )


def _extent(cue: Cue) -> str:
    """Say where it lies, in shares of the picture."""
    if len(cue.places) != 1:
        thick = max(min(p.right - p.left, p.bottom - p.top) for p in cue.places) if cue.places else 0.0
        return f"{thick * 100:.0f} % of each side"
    one = cue.places[0]
    return (
        f"from {one.left * 100:.0f} to {one.right * 100:.0f} % of the width and "
        f"{one.top * 100:.0f} to {one.bottom * 100:.0f} % of the height of the square that the model sees"
    )
