"""Behavioural checks: what changes the answer although it should not, and what does not although it should.

Source: Ribeiro, Wu, Guestrin and Singh 2020, ACL (CheckList).
"""

from __future__ import annotations

from palio.evaluate.texts.checks.behaviour import are_opinions, text_checks

__all__ = ["are_opinions", "text_checks"]
