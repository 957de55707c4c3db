"""Networks that read words in their order: texts become ids, ids become vectors, and what stands out is pooled.

No answer depends on the texts beside it: padding is masked wherever it could be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from palio import model
from palio.core.records import TokenReading
from palio.train.deep.layers import layer
from palio.train.examples import Array

Kind = Literal["lstm", "textcnn"]
UNKNOWN = 1
"""Id of a word that the vocabulary does not hold; 0 is padding."""
MAX_WORDS = 30_000
LONGEST = 256
KERNELS = (3, 4, 5)


@dataclass
class Texts:
    """Texts as ids: for each column a list of ids a row."""

    columns: tuple[Sequence[list[int]], ...]
    target: Array
    weights: Array | None = None
    word_dropout: float = 0.0
    """Share of words that are made unknown while learning."""
    seed: int = 0

    def learned(self, rows: Array, epoch: int) -> tuple[Array, ...]:
        """Return ids and masks of the columns, some words being unknown."""
        found = self.seen(rows)
        if not self.word_dropout:
            return found
        for place, row in enumerate(rows):
            rng = np.random.default_rng((self.seed, epoch, int(row)))
            for ids, mask in zip(found[::2], found[1::2], strict=True):
                n = int(mask[place].sum())
                ids[place, :n][rng.random(n) < self.word_dropout] = UNKNOWN
        return found

    def seen(self, rows: Array) -> tuple[Array, ...]:
        """Return ids and masks of the columns, padded to the longest text."""
        return tuple(one for column in self.columns for one in padded([column[row] for row in rows]))


def padded(rows: Sequence[list[int]]) -> tuple[Array, Array]:
    """Lay rows of ids side by side: ids and mask, int64 (n, longest), 0 where a row is shorter."""
    longest = max((len(ids) for ids in rows), default=0) or 1
    ids, mask = np.zeros((len(rows), longest), np.int64), np.zeros((len(rows), longest), np.int64)
    for place, found in enumerate(rows):
        ids[place, : len(found)] = found
        mask[place, : len(found)] = 1
    return ids, mask


def word_tokenizer(texts: Sequence[str], *, most: int = MAX_WORDS) -> str:
    """Return a tokenizer, as the library `tokenizers` writes it, that knows the words that stand in two texts.

    Case and accents are folded; each sign is a word of its own.
    """
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    for least in (2, 1):  # of a few texts, all words
        made = tokenizers.Tokenizer(models.WordLevel(unk_token="[UNK]"))  # noqa: S106 - a token of texts
        made.normalizer = normalizers.BertNormalizer(lowercase=True)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordLevelTrainer(
            vocab_size=most, min_frequency=least, special_tokens=["[PAD]", "[UNK]"], show_progress=False
        )
        made.train_from_iterator(texts, trainer)
        if made.get_vocab_size() > 2 + len(texts) // 100:
            break
    return str(made.to_str())


def reading_of(column: str, texts: Sequence[str], tokenizer: str, *, longest: int = LONGEST) -> TokenReading:
    """Return how texts of a column are read: of 99 in 100 of them nothing is cut off, if they are not too long."""
    whole = TokenReading(input=column, length=longest, tokenizer=tokenizer)
    widths = [len(ids) for ids in model.reader_of(whole).prepared(texts)]
    length = int(np.clip(np.ceil(np.quantile(widths, 0.99)), 8, longest)) if widths else longest
    return TokenReading(input=column, length=length, tokenizer=tokenizer)


def read(reading: TokenReading, texts: Sequence[str]) -> Sequence[list[int]]:
    """Return the ids of texts, as the server reads them."""
    found: Sequence[list[int]] = model.reader_of(reading).prepared(texts)
    return found


def text_network(
    kind: Kind, vocabularies: Sequence[int], n_scores: int, *, width: int, embedding: int = 100, seed: int = 0
) -> Any:
    """Build a network from ids and masks of some columns to scores.

    Args:
        kind: `lstm`: reads forwards and backwards, and pools by maximum and mean; `textcnn`: convolutions over three,
            four and five words, pooled by maximum.
        vocabularies: Ids of each column.
        n_scores: Scores of a row.
        width: Units of each direction, or channels of each convolution.
        embedding: Numbers of a word.
        seed: Fixes the weights that it starts from.

    Source: Hochreiter and Schmidhuber 1997; Graves and Schmidhuber 2005 (both directions); Kim 2014 (convolutions).
    """
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        bodies = nn.ModuleList()
        for size in vocabularies:
            words = nn.Embedding(size, embedding, padding_idx=0)
            nn.init.normal_(words.weight, std=0.1)
            bodies.append(_lstm(words, embedding, width) if kind == "lstm" else _textcnn(words, embedding, width))
        n_pooled = width * (4 if kind == "lstm" else len(KERNELS)) * len(vocabularies)
        return layer(_columns, bodies=bodies, drop=nn.Dropout(0.5), head=nn.Linear(n_pooled, n_scores))


def _columns(own: Any, *inputs: Any) -> Any:
    import torch

    pooled = [body(ids, mask) for body, ids, mask in zip(own.bodies, inputs[::2], inputs[1::2], strict=True)]
    return own.head(own.drop(torch.cat(pooled, dim=1)))


def _lstm(words: Any, embedding: int, width: int) -> Any:
    from torch import nn

    there, back = (nn.LSTM(embedding, width, batch_first=True) for _ in range(2))
    return layer(_read_both_ways, words=words, drop=nn.Dropout(0.3), there=there, back=back)


def _read_both_ways(own: Any, ids: Any, mask: Any) -> Any:
    """Read each text forwards and backwards; backwards begins at its own end, not at that of the longest."""
    import torch

    lengths = mask.sum(dim=1, keepdim=True)
    places = torch.arange(ids.shape[1], device=ids.device).unsqueeze(0)
    turned = ids.gather(1, (lengths - 1 - places).clamp(min=0))
    pooled = []
    for reader, order in ((own.there, ids), (own.back, turned)):
        states, _ = reader(own.drop(own.words(order)))
        pooled += [_most(states, mask), _mean(states, mask)]
    return torch.cat(pooled, dim=1)


def _most(states: Any, mask: Any) -> Any:
    """Return the greatest state of each unit, −1 for a text without words: those of an LSTM lie between −1 and 1."""
    there = mask.unsqueeze(2).to(states.dtype)
    return (states * there - (1 - there)).amax(dim=1)


def _mean(states: Any, mask: Any) -> Any:
    there = mask.unsqueeze(2).to(states.dtype)
    return (states * there).sum(dim=1) / there.sum(dim=1).clamp(min=1.0)


def _textcnn(words: Any, embedding: int, width: int) -> Any:
    from torch import nn

    convolutions = nn.ModuleList(nn.Conv1d(embedding, width, size) for size in KERNELS)
    return layer(_read_phrases, words=words, drop=nn.Dropout(0.2), convolutions=convolutions)


def _read_phrases(own: Any, ids: Any, mask: Any) -> Any:
    """Let each phrase end at one of the words; phrases that begin before the text see nothing there."""
    import torch
    from torch.nn import functional

    there = mask.unsqueeze(1).float()
    values = own.drop(own.words(ids)).transpose(1, 2) * there
    pooled = []
    for size, convolution in zip(KERNELS, own.convolutions, strict=True):
        found = torch.relu(convolution(functional.pad(values, (size - 1, 0))))
        pooled.append((found * there).amax(dim=2))
    return torch.cat(pooled, dim=1)
