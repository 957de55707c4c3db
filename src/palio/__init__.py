"""Palio: the whole life of a machine-learning model, from labelled data to a champion that is watched and replaced.

    import palio

    palio.init("bank.csv", target="y", folder="bank")
    with palio.open_project("bank") as project:
        summary = project.run()

Each room has its own verb too (`palio.split.cut`, `palio.train.search`, …); see docs/reference/python.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from palio.core.version import __version__ as __version__

if TYPE_CHECKING:
    from palio.flow import Project, init

    open_project = Project.open

__all__ = ["Project", "__version__", "init", "open_project"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in ("init", "Project", "open_project"):
        from palio import flow

        return flow.Project.open if name == "open_project" else getattr(flow, name)
    raise AttributeError(f"module `palio` has no attribute `{name}`")
