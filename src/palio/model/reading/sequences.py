"""Read texts by a `TokenReading`: a row of ids for a network that reads words in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.errors import UnavailableError
from palio.core.ids import digest
from palio.core.records import TensorSpec, TokenReading
from palio.model.reading.cells import refuse, text_of

Array = npt.NDArray[Any]
RULE = 1
"""The rule: what the library `tokenizers` makes of a text by its file, special tokens inside of texts being text."""
MAX_LENGTH = 8_192
MAX_CHARACTERS = 16
"""Characters of a text that are read for each id that may come of them."""
IDS_AT_ONCE = 1 << 11
"""Ids that go through the graph together: with as many as a cache holds it is fastest."""


class TokenReader:
    """Reads the texts of one column. Safe to share between threads.

    Raises:
        UnavailableError: the package `tokenizers` is not installed.
        IntegrityError: this is no tokenizer.
    """

    at_once = IDS_AT_ONCE

    def __init__(self, reading: TokenReading) -> None:
        self.reading = reading
        self._tokenizer = _tokenizer(reading)
        self._most_characters = reading.length * MAX_CHARACTERS

    def prepared(self, cells: Sequence[Any]) -> Sequence[list[int]]:
        """Return the ids of each text."""
        name, most = self.reading.input, self._most_characters
        texts = [text_of(name, cell)[:most] for cell in cells]
        return [one.ids for one in self._tokenizer.encode_batch(texts)]

    def is_cut(self, text: str) -> bool:
        """Tell whether a text goes on behind what is read of it."""
        return len(text) > self._most_characters or bool(self._tokenizer.encode(text).overflowing)

    def width(self, ids: list[int]) -> int:
        """Tell how many ids a text has."""
        return len(ids)

    def feeds(self, rows: Sequence[list[int]]) -> dict[str, Array]:
        """Lay rows side by side as the tensors of the graph, padded to the longest."""
        longest = max((len(ids) for ids in rows), default=0) or 1
        ids, mask = np.zeros((len(rows), longest), np.int64), np.zeros((len(rows), longest), np.int64)
        for place, found in enumerate(rows):
            ids[place, : len(found)] = found
            mask[place, : len(found)] = 1
        return {f"{self.reading.tensor}.ids": ids, f"{self.reading.tensor}.mask": mask}


def _tokenizer(reading: TokenReading) -> Any:
    try:
        import tokenizers
    except ImportError:
        raise UnavailableError(
            "model: it reads texts by a tokenizer, and the package `tokenizers` is not installed",
            hint="pip install 'palio[text]'",
        ) from None
    try:
        made = tokenizers.Tokenizer.from_str(reading.tokenizer)
    except Exception as error:  # noqa: BLE001 - the library raises a bare Exception for any broken file
        raise refuse(f"the tokenizer is not readable ({str(error)[:200]})") from None
    made.no_padding()
    made.enable_truncation(reading.length)
    made.encode_special_tokens = True
    return made


def specs_of(reading: TokenReading) -> tuple[TensorSpec, ...]:
    """Name the tensors of the graph that a reading feeds."""
    return tuple(
        TensorSpec(name=f"{reading.tensor}.{end}", datatype="INT64", shape=(-1, -1)) for end in ("ids", "mask")
    )


def check(reading: TokenReading) -> None:
    """Raise `IntegrityError` if a reading, which may come from anybody, asks for another rule or for too much."""
    if reading.rule != RULE:
        raise refuse(f"they name rule {reading.rule} of tokens, this version of Palio knows rule {RULE}")
    if not 0 < reading.length <= MAX_LENGTH:
        raise refuse(f"they ask for {reading.length} tokens of a text, at most {MAX_LENGTH:,} are allowed")
    if not reading.tokenizer:
        raise refuse("the tokenizer is missing")


def brief(reading: TokenReading) -> TokenReading:
    """Tell the tokenizer's SHA-256 in place of it."""
    return msgspec.structs.replace(reading, tokenizer=digest(reading.tokenizer.encode()))
