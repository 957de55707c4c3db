"""Serve one ONNX file with everything on that a production server does: a key, rules with a quota, the log.

    python benchmarks/serving/guarded.py MODEL.onnx LOG_FOLDER [--no-guard] [--no-log]

Tells its URL as JSON, like `palio serve --json`. Requests need the header `x-api-key` with the value of `KEY`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from palio import serve
from palio.core.serving import ApiKey, Plan, Policy, Rule

if TYPE_CHECKING:
    from palio.core.records import Deployment
    from palio.serve.served import Served

KEY = "bench-key-of-the-comparison"
POLICY = Policy(
    rules=(
        Rule(allow=False, purpose="marketing", reason="no consent"),
        Rule(role="caller", quota=10**9, per="day"),
    ),
    keys=(
        ApiKey(
            caller="bench",
            hash=hashlib.sha256(KEY.encode()).hexdigest(),
            created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        ),
    ),
)


@dataclass(frozen=True)
class Guarded:
    """A provider of one file, with a policy."""

    file: serve.Provider
    policy: Policy

    def current(self) -> Plan:
        """Return the plan of the file, and who may ask."""
        return replace(self.file.current(), policy=self.policy)

    def load(self, deployment: Deployment) -> Served:
        """Return the model."""
        return self.file.load(deployment)

    def refused(self, deployment: Deployment, why: str) -> None:
        """Pass it on."""
        self.file.refused(deployment, why)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--no-guard", action="store_true")
    parser.add_argument("--no-log", action="store_true")
    options = parser.parse_args()
    provider = Guarded(serve.any_onnx(options.model), Policy() if options.no_guard else POLICY)
    journal = None if options.no_log else serve.Journal(options.log, options.model.stem)
    app = serve.create_app(provider, journal=journal)
    serve.run(app, port=0, ready=lambda url: print(json.dumps({"url": url}), flush=True))


if __name__ == "__main__":
    main()
