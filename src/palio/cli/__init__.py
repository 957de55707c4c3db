"""The face for terminals: parse, call a verb, show its record."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Answers `--version` before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        from palio import __version__

        sys.stdout.write(f"palio {__version__}\n")
        return
    from palio.cli.app import palio

    palio(prog_name="palio")
