"""The command tree: names and one line each; a verb's module is imported when the verb is called."""

from __future__ import annotations

import importlib

import click

from palio.core.version import __version__

VERBS: dict[str, tuple[str, str]] = {
    "init": ("palio.cli.prepare:init", "Look at a file and write palio.toml and schema.toml."),
    "ingest": ("palio.cli.prepare:ingest", "Read the source into an immutable snapshot."),
    "split": ("palio.cli.prepare:split", "Cut the snapshot into train, validation and sealed test."),
    "train": ("palio.cli.compete:train", "Search for the best candidate within the budget."),
    "evaluate": ("palio.cli.compete:evaluate", "Open the sealed test once and score the candidate."),
    "promote": ("palio.cli.compete:promote", "Let the gate decide, and put the challenger live."),
    "rollback": ("palio.cli.compete:rollback", "Put an earlier champion back."),
    "run": ("palio.cli.compete:run", "The whole cycle, from the source to a champion and its report."),
    "serve": ("palio.cli.live:serve", "Answer requests with the champion."),
    "watch": ("palio.cli.renewal:watch", "Look after what is live: rollouts, findings, renewals."),
    "predict": ("palio.cli.live:predict", "Score a file with the champion."),
    "feedback": ("palio.cli.truth:feedback", "Take late truths about rows that were answered."),
    "monitor": ("palio.cli.watching:monitor", "Say how the champion does, on one screen or as a page."),
    "alert": ("palio.cli.alerts:alert", "Try out how people are told when a model needs them."),
    "retrain": ("palio.cli.renewal:retrain", "Renew the champion: collect labels, train, judge, release."),
    "report": ("palio.cli.live:report", "Write the client report again."),
    "log": ("palio.cli.ledger:log", "Tell what happened, as a story."),
    "model": ("palio.cli.ledger:model", "Show, verify, sign or export a bundle."),
    "store": ("palio.cli.ledger:store", "Check or upgrade the ledger."),
}


class _LazyGroup(click.Group):
    """A group that knows its verbs by name and imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, attribute = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs, in the order of the life cycle"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from palio.core.errors import did_you_mean

            ctx.fail(f"unknown verb `{args[0]}`\nhint: {did_you_mean(args[0], VERBS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="palio", message="%(prog)s %(version)s")
def palio() -> None:
    """One tool for the whole life of a machine-learning model.

    Start with:  palio init data.csv --target COLUMN,  then  palio run.
    """
