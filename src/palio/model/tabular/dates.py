"""Read the calendar inside a graph: seconds since 1970 (UTC) to year, month, day, weekday and hour.

Source: Howard Hinnant, `chrono`-Compatible Low-Level Date Algorithms, `civil_from_days`.
"""

from __future__ import annotations

import math

from palio.model.graph.builder import GraphBuilder

TREE_PARTS = ("year", "month", "day", "weekday", "hour", "day_of_year", "days", "hour_of_week")
WAVES = {"day_of_year": 2, "weekday": 2, "hour": 3}
"""How many waves a linear model sees of a cycle: once, twice, … in its period (LOG.md: features of columns)."""
LINEAR_PARTS = (
    "year",
    "days",
    *(f"{part}_{wave}" for part in WAVES for wave in ("sin", "cos")),
    *(
        f"{part}_{wave}{times}"
        for part, most in WAVES.items()
        for times in range(2, most + 1)
        for wave in ("sin", "cos")
    ),
)
_PERIODS = {"day_of_year": 365.2425, "weekday": 7.0, "hour": 24.0}
_FIRST_SECOND, _LAST_SECOND = -62135596800.0, 253402300799.0
"""Years 1 to 9999: what a calendar means anything for; other moments are moved to the nearer end."""


class Calendar:
    """Emit parts of the moments in `seconds`, shape (n, k): each part once, on first use, shape (n, k).

    Monday is weekday 0; `day_of_year` counts from 0; `days` are whole days since 1970; `hour_of_week` counts from
    midnight on Monday; `hour_sin2` is a wave that passes twice a day; a missing moment gives NaN.
    """

    def __init__(self, builder: GraphBuilder, seconds: str) -> None:
        self._builder = builder
        clipped = builder.node("Clip", seconds, builder.constant(_FIRST_SECOND), builder.constant(_LAST_SECOND))
        self._made: dict[str, str] = {"seconds": clipped}

    def part(self, name: str) -> str:
        """Return the tensor of the part called `name`."""
        if name not in self._made:
            base, _, wave = name.rpartition("_")
            is_wave = wave[:3] in ("sin", "cos")
            self._made[name] = self._wave(base, wave) if is_wave else getattr(self, f"_{name}")()
        return self._made[name]

    def _constant_op(self, op: str, tensor: str, value: float) -> str:
        return self._builder.node(op, tensor, self._builder.constant(value))

    def _add(self, tensor: str, value: float) -> str:
        return self._constant_op("Add", tensor, value)

    def _times(self, tensor: str, value: float) -> str:
        return self._constant_op("Mul", tensor, value)

    def _over(self, tensor: str, value: float) -> str:
        """Divide by a whole number, rounding down (exact for whole numbers below 2^52)."""
        return self._builder.node("Floor", self._constant_op("Div", tensor, value))

    def _plus(self, first: str, second: str) -> str:
        return self._builder.node("Add", first, second)

    def _minus(self, first: str, second: str) -> str:
        return self._builder.node("Sub", first, second)

    def _wave(self, base: str, wave: str) -> str:
        angle = self._times(self.part(base), int(wave[3:] or 1) * 2 * math.pi / _PERIODS[base])
        return self._builder.node("Sin" if wave.startswith("sin") else "Cos", angle)

    def _days(self) -> str:
        return self._over(self.part("seconds"), 86400)

    def _hour(self) -> str:
        midnight = self._times(self.part("days"), 86400)
        return self._over(self._minus(self.part("seconds"), midnight), 3600)

    def _weekday(self) -> str:
        thursday = self._add(self.part("days"), 3)  # 1970-01-01 was a Thursday
        return self._minus(thursday, self._times(self._over(thursday, 7), 7))

    def _hour_of_week(self) -> str:
        return self._plus(self._times(self.part("weekday"), 24), self.part("hour"))

    def _shifted(self) -> str:
        return self._add(self.part("days"), 719468)  # days since 1 March of year 0

    def _era(self) -> str:
        return self._over(self.part("shifted"), 146097)  # 400 years each

    def _year_of_era(self) -> str:
        day = self._minus(self.part("shifted"), self._times(self.part("era"), 146097))
        self._made["day_of_era"] = day
        without_leap_days = self._minus(
            self._plus(self._minus(day, self._over(day, 1460)), self._over(day, 36524)), self._over(day, 146096)
        )
        return self._over(without_leap_days, 365)

    def _day_from_march(self) -> str:
        year = self.part("year_of_era")
        leap_days = self._minus(self._over(year, 4), self._over(year, 100))
        return self._minus(self._made["day_of_era"], self._plus(self._times(year, 365), leap_days))

    def _month_from_march(self) -> str:
        return self._over(self._add(self._times(self.part("day_from_march"), 5), 2), 153)

    def _day(self) -> str:
        before = self._over(self._add(self._times(self.part("month_from_march"), 153), 2), 5)
        return self._add(self._minus(self.part("day_from_march"), before), 1)

    def _is_january_or_february(self) -> str:
        return self._over(self.part("month_from_march"), 10)

    def _month(self) -> str:
        return self._add(
            self._minus(self.part("month_from_march"), self._times(self.part("is_january_or_february"), 12)), 3
        )

    def _year(self) -> str:
        march_year = self._plus(self.part("year_of_era"), self._times(self.part("era"), 400))
        return self._plus(march_year, self.part("is_january_or_february"))

    def _day_of_year(self) -> str:
        before = self._add(self.part("year"), -1)
        leap_days = self._plus(self._minus(self._over(before, 4), self._over(before, 100)), self._over(before, 400))
        new_year = self._add(self._plus(self._times(before, 365), leap_days), 306 - 719468)
        return self._minus(self.part("days"), new_year)
