"""What people read: one self-contained HTML file for a client, and a summary for the terminal.

    write(path, facts=ReportFacts(...))     the page
    summary(ReportFacts(...))               Markdown for the terminal

The room reads records and nothing else: no model, no data, no network. Jinja2 is loaded on the first `write`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.report.facts import ReportFacts
    from palio.report.page import summary, write

__all__ = ["ReportFacts", "summary", "write"]

_HOMES = {"ReportFacts": "palio.report.facts", "summary": "palio.report.page", "write": "palio.report.page"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
