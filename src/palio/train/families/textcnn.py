"""Learn a network of convolutions over three, four and five words."""

from __future__ import annotations

from palio.train.families.word_order import WordOrder

FAMILY = WordOrder(name="textcnn", width=100, pace=1.2e-3)
