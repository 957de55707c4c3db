"""Scripts that put no blanks between words: what a word of them is has to be said without blanks."""

from __future__ import annotations

SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x31FF),  # Han radicals, Hiragana, Katakana, Bopomofo
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Ranges of their characters, ends included."""
SPACELESS_CLASS = "".join(f"{chr(first)}-{chr(last)}" for first, last in SPACELESS)
"""The same, to stand between brackets in a regular expression."""
A_WORD = 2
"""Characters of a word of theirs, about (Chinese: 1.5 to 1.8; Thai and the syllables of Japanese: more)."""
