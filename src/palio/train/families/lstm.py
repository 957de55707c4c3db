"""Learn a recurrent network that reads texts forwards and backwards."""

from __future__ import annotations

from palio.train.families.word_order import WordOrder

FAMILY = WordOrder(name="lstm", width=96, pace=1.5e-3)
