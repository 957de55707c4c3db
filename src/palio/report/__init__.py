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

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.report import columns as columns
    from palio.report import remedies as remedies
    from palio.report import watched as watched
    from palio.report import words as words
    from palio.report.columns import columns_page as columns_page
    from palio.report.facts import ReportFacts as ReportFacts
    from palio.report.monitoring import monitoring_page as monitoring_page
    from palio.report.page import load as load
    from palio.report.page import save as save
    from palio.report.page import summary as summary
    from palio.report.page import write as write
    from palio.report.rounding import clean as clean
    from palio.report.rounding import count as count
    from palio.report.rounding import number as number
    from palio.report.rounding import with_margin as with_margin
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "": "columns remedies watched words",
            "columns": "columns_page",
            "facts": "ReportFacts",
            "monitoring": "monitoring_page",
            "page": "load save summary write",
            "rounding": "clean count number with_margin",
        },
    )
