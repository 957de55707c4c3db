"""Carry out the newest renewal of the project in argument 1, and die before or after something is written.

Argument 2 is the kind of a line of the ledger (`collect`) or of a record (`Appended`), argument 3 `before` or `after`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from palio import flow, renew
from palio.core.records import Event, Record
from palio.flow import renewing
from palio.store import Ledger, Records


def main(folder: str, kind: str, moment: str) -> None:
    """Do it."""
    write = Ledger.append_after

    def append_after(self: Ledger, name: str, *args: Any, **named: Any) -> Event:
        is_it = name == f"renew.retrain.{kind}"
        if is_it and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        event = write(self, name, *args, **named)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)
        return event

    put = Records.put

    def put_record(self: Records, record: Record, **named: Any) -> None:
        is_it = type(record).__name__ == kind
        if is_it and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        put(self, record, **named)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)

    renewing.MOST_ATTEMPTS = 99  # it is killed more often than anybody would go on
    setattr(Ledger, "append_after", append_after)  # noqa: B010 - a method is put in place of another
    setattr(Records, "put", put_record)  # noqa: B010
    with flow.Project.open(folder) as project:
        found = renew.renewal_standing(project.store, project.name)
        if found is not None:
            renewing.carry_out(project, found.request.id)


if __name__ == "__main__":
    main(*sys.argv[1:4])
