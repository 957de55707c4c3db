"""Find pictures of 10, 12 or 14 bits that are stored in 16: read as they stand they would be nearly black."""

from __future__ import annotations

from collections.abc import Sequence

from palio.core.errors import InputError
from palio.core.words import counted
from palio.data.pictures.notes import Note

DARKEST = 15
"""Of the upper 8 bits: 12 bits in 16 reach no further. A picture of 16 bits whose brightest spot has a sixteenth of the
light is rare, many of them without a brighter one are none."""
DIM = 63
"""The same of 14 bits: dark scenes may be so, too."""
FEWEST = 10
"""Pictures of 16 bits that prove something together."""


def about_depths(notes: Sequence[tuple[str, Note]], where: str) -> list[str]:
    """Say what is odd about the numbers of pictures of 16 bits.

    Args:
        notes: Names of pictures, and what is known of each.
        where: Name of the source.

    Raises:
        InputError: they hold numbers of 12 bits at most.
    """
    deep = [(file, note.deepest) for file, note in notes if note.deepest >= 0]
    most = max((value for _, value in deep), default=255)
    if most > DIM or not deep:
        return []
    largest = 256 * most + 255
    bits = max(10, largest.bit_length() + largest.bit_length() % 2)
    said = (
        f"{where}: {counted(len(deep), 'picture')} of 16 bits, e.g. {deep[0][0]}, in none of which a number is above "
        f"{largest:,} of 65,535"
    )
    factor = 2 ** (16 - bits)
    if most <= DARKEST and len(deep) >= FEWEST:
        raise InputError(
            f"{said}: they hold {bits} bits, and would be seen nearly black",
            hint=f"multiply their numbers by {factor}, or save them with 8 bits; the same where answers are asked for",
        )
    return [f"{said}: if they hold {bits} bits, multiply their numbers by {factor}, or they are seen nearly black"]
