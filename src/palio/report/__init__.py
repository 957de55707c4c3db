"""What people read: one self-contained HTML file for a client, one for who watches a model, and the same for terminals.

    write(path, facts=ReportFacts(...))         the report on a decision
    summary(ReportFacts(...))                   Markdown for the terminal
    monitoring_page(review, name=...)           what was seen of a model that answers
    columns_page(started)                       how each column of a table is read
    columns, watched, remedies, words           the same in words and figures, for other faces
    clean, count, number, with_margin           how texts and numbers are shown

The room reads records and nothing else: no model, no data, no network. Jinja2 is loaded with the first page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.report import columns, remedies, watched, words
    from palio.report.columns import columns_page
    from palio.report.facts import ReportFacts
    from palio.report.monitoring import monitoring_page
    from palio.report.page import save, summary, write
    from palio.report.rounding import clean, count, number, with_margin

__all__ = [
    "ReportFacts",
    "clean",
    "columns",
    "columns_page",
    "count",
    "monitoring_page",
    "number",
    "remedies",
    "save",
    "summary",
    "watched",
    "with_margin",
    "words",
    "write",
]

_HOMES = {
    "ReportFacts": "palio.report.facts",
    "clean": "palio.report.rounding",
    "columns_page": "palio.report.columns",
    "count": "palio.report.rounding",
    "monitoring_page": "palio.report.monitoring",
    "number": "palio.report.rounding",
    "save": "palio.report.page",
    "summary": "palio.report.page",
    "with_margin": "palio.report.rounding",
    "write": "palio.report.page",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in ("columns", "remedies", "watched", "words"):
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
