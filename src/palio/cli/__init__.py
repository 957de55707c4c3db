"""The face for terminals: parse, call a verb, show its record."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Answers `--version` before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        from palio.core.version import __version__

        sys.stdout.write(f"palio {__version__}\n")
        return
    from palio.cli.app import palio

    if "--json" not in sys.argv[1:]:
        palio(prog_name="palio")
        return
    import click

    try:
        palio(prog_name="palio", standalone_mode=False)
    except click.ClickException as error:  # a wrong flag is an error like any other
        from palio.cli.faces import show_error
        from palio.core.errors import InputError

        message, _, hint = error.format_message().partition("\nhint: ")
        show_error(InputError(message, hint=hint or "palio VERB --help lists what it takes"), as_json=True)
        sys.exit(error.exit_code)
