"""Watch what was served: count it into windows, judge them against what the model was trained on, tell people.

Pure but for the reader of the log that is passed in: records in, records out. What to do about a finding is decided in
`renew`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.monitor.alerts.alerting import AlertRules as AlertRules
    from palio.monitor.alerts.alerting import parse_persistence as parse_persistence
    from palio.monitor.alerts.alerting import review_standing as review_standing
    from palio.monitor.alerts.command import Command as Command
    from palio.monitor.alerts.delivery import Channel as Channel
    from palio.monitor.alerts.delivery import deliver as deliver
    from palio.monitor.alerts.mail import Mail as Mail
    from palio.monitor.alerts.messages import LEASE_S as LEASE_S
    from palio.monitor.alerts.messages import AlertState as AlertState
    from palio.monitor.alerts.messages import Arrived as Arrived
    from palio.monitor.alerts.messages import Claimed as Claimed
    from palio.monitor.alerts.messages import Message as Message
    from palio.monitor.alerts.messages import Owed as Owed
    from palio.monitor.alerts.messages import claim as claim
    from palio.monitor.alerts.messages import pending as pending
    from palio.monitor.alerts.payload import render as render
    from palio.monitor.alerts.webhook import Webhook as Webhook
    from palio.monitor.concept.findings import stream_lines as stream_lines
    from palio.monitor.concept.streams import DETECTORS as DETECTORS
    from palio.monitor.concept.streams import ErrorStream as ErrorStream
    from palio.monitor.concept.streams import loss_scale as loss_scale
    from palio.monitor.counting import Subject as Subject
    from palio.monitor.movement.drift import drift_findings as drift_findings
    from palio.monitor.movement.drift import drift_of as drift_of
    from palio.monitor.movement.inputs import input_findings as input_findings
    from palio.monitor.quality.estimates import Estimator as Estimator
    from palio.monitor.quality.estimates import can_estimate as can_estimate
    from palio.monitor.quality.kpis import check_kpis as check_kpis
    from palio.monitor.reviewing import Watching as Watching
    from palio.monitor.reviewing import review as review
    from palio.monitor.timeline import MOST_WINDOWS as MOST_WINDOWS
    from palio.monitor.windows import WindowBuilder as WindowBuilder
    from palio.monitor.windows import merge as merge
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "alerts.alerting": "AlertRules parse_persistence review_standing",
            "alerts.command": "Command",
            "alerts.delivery": "Channel deliver",
            "alerts.mail": "Mail",
            "alerts.messages": "AlertState Arrived Claimed LEASE_S Message Owed claim pending",
            "alerts.payload": "render",
            "alerts.webhook": "Webhook",
            "concept.findings": "stream_lines",
            "concept.streams": "DETECTORS ErrorStream loss_scale",
            "counting": "Subject",
            "movement.drift": "drift_findings drift_of",
            "movement.inputs": "input_findings",
            "quality.estimates": "Estimator can_estimate",
            "quality.kpis": "check_kpis",
            "reviewing": "Watching review",
            "timeline": "MOST_WINDOWS",
            "windows": "WindowBuilder merge",
        },
    )
