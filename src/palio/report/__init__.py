"""What people read: one self-contained HTML file for a client, one for who watches a model, and the same for terminals.

    write(path, facts=ReportFacts(...))         the report on a decision
    summary(ReportFacts(...))                   Markdown for the terminal
    monitoring_page(review, name=...)           what was seen of a model that answers
    watched, remedies                           the same in words and figures, for other faces

The room reads records and nothing else: no model, no data, no network. Jinja2 is loaded with the first page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.report import remedies, watched
    from palio.report.facts import ReportFacts
    from palio.report.monitoring import monitoring_page
    from palio.report.page import summary, write

__all__ = ["ReportFacts", "monitoring_page", "remedies", "summary", "watched", "write"]

_HOMES = {
    "ReportFacts": "palio.report.facts",
    "monitoring_page": "palio.report.monitoring",
    "summary": "palio.report.page",
    "write": "palio.report.page",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in ("remedies", "watched"):
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
