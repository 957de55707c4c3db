"""Remember which step gave which result for which inputs, so that a rerun skips it."""

from __future__ import annotations

import sqlalchemy as sa

from palio.core.clock import Clock, utc_now
from palio.store.engine import Database, insert_into
from palio.store.tables import STEPS, to_text


class Steps:
    """A memo: name of the step and identity of its inputs → identity of its output."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def get(self, step: str, inputs_key: str) -> str | None:
        """Return the identity of the output that this step gave for these inputs, or None."""
        query = sa.select(STEPS.c.output).where(STEPS.c.step == step, STEPS.c.inputs == inputs_key)
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def put(self, step: str, inputs_key: str, output_key: str) -> None:
        """Remember an output; a later one replaces it."""
        at = to_text(self._clock())
        with self._database.write() as connection:
            insert = insert_into(connection, STEPS).values(step=step, inputs=inputs_key, output=output_key, at=at)
            same = insert.on_conflict_do_update(
                index_elements=["step", "inputs"], set_={"output": output_key, "at": at}
            )
            connection.execute(same)
