"""Watch what was served: count it into windows, judge them against what the model was trained on, tell people.

Pure but for the reader of the log that is passed in: records in, records out. What to do about a finding is decided in
`renew`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.monitor.alerts.alerting import (
        AlertRules,
        Look,
        Persistence,
        Standing,
        expected_false_alarms,
        looks_of,
        parse_persistence,
        review_standing,
        standing,
    )
    from palio.monitor.alerts.command import Command
    from palio.monitor.alerts.delivery import Channel, deliver
    from palio.monitor.alerts.mail import Mail
    from palio.monitor.alerts.messages import LEASE_S, AlertState, Arrived, Message, Owed, Told, claim, pending
    from palio.monitor.alerts.payload import render
    from palio.monitor.alerts.webhook import Webhook
    from palio.monitor.concept.findings import concept_findings, stream_lines
    from palio.monitor.concept.streams import DETECTORS, Detection, ErrorStream, loss_scale
    from palio.monitor.counting import Subject
    from palio.monitor.movement.drift import drift_findings, drift_of
    from palio.monitor.movement.inputs import input_findings
    from palio.monitor.movement.joint import JointDrift, joint_drift, joint_findings
    from palio.monitor.movement.skew import skew_findings
    from palio.monitor.movement.traffic import traffic_findings
    from palio.monitor.quality.estimates import Estimator, judge_errors, judge_estimates, with_errors
    from palio.monitor.quality.kpis import Worth, check_kpis, judge_kpis, kpi_values, worth_of
    from palio.monitor.quality.outcomes import (
        judge_classes,
        judge_labels,
        judge_outcomes,
        label_delay_s,
        outcomes_of,
        standards_from,
    )
    from palio.monitor.quality.standards import Standard, standards_of
    from palio.monitor.reviewing import Watching, review
    from palio.monitor.thinning import RowSample
    from palio.monitor.timeline import MOST_WINDOWS
    from palio.monitor.windows import WindowBuilder, merge

__all__ = [
    "DETECTORS",
    "LEASE_S",
    "MOST_WINDOWS",
    "AlertRules",
    "AlertState",
    "Arrived",
    "Channel",
    "Command",
    "Detection",
    "ErrorStream",
    "Estimator",
    "JointDrift",
    "Look",
    "Mail",
    "Message",
    "Owed",
    "Persistence",
    "RowSample",
    "Standard",
    "Standing",
    "Subject",
    "Told",
    "Watching",
    "Webhook",
    "WindowBuilder",
    "Worth",
    "check_kpis",
    "claim",
    "concept_findings",
    "deliver",
    "drift_findings",
    "drift_of",
    "expected_false_alarms",
    "input_findings",
    "joint_drift",
    "joint_findings",
    "judge_classes",
    "judge_errors",
    "judge_estimates",
    "judge_kpis",
    "judge_labels",
    "judge_outcomes",
    "kpi_values",
    "label_delay_s",
    "looks_of",
    "loss_scale",
    "merge",
    "outcomes_of",
    "parse_persistence",
    "pending",
    "render",
    "review",
    "review_standing",
    "skew_findings",
    "standards_from",
    "standards_of",
    "standing",
    "stream_lines",
    "traffic_findings",
    "with_errors",
    "worth_of",
]

_HOMES = {
    "DETECTORS": "concept.streams",
    "LEASE_S": "alerts.messages",
    "MOST_WINDOWS": "timeline",
    "AlertRules": "alerts.alerting",
    "AlertState": "alerts.messages",
    "Arrived": "alerts.messages",
    "Channel": "alerts.delivery",
    "Command": "alerts.command",
    "Detection": "concept.streams",
    "ErrorStream": "concept.streams",
    "Estimator": "quality.estimates",
    "JointDrift": "movement.joint",
    "Look": "alerts.alerting",
    "Mail": "alerts.mail",
    "Message": "alerts.messages",
    "Owed": "alerts.messages",
    "Persistence": "alerts.alerting",
    "RowSample": "thinning",
    "Standard": "quality.standards",
    "Standing": "alerts.alerting",
    "Subject": "counting",
    "Told": "alerts.messages",
    "Watching": "reviewing",
    "Webhook": "alerts.webhook",
    "WindowBuilder": "windows",
    "Worth": "quality.kpis",
    "check_kpis": "quality.kpis",
    "claim": "alerts.messages",
    "concept_findings": "concept.findings",
    "deliver": "alerts.delivery",
    "drift_findings": "movement.drift",
    "drift_of": "movement.drift",
    "expected_false_alarms": "alerts.alerting",
    "input_findings": "movement.inputs",
    "joint_drift": "movement.joint",
    "joint_findings": "movement.joint",
    "judge_classes": "quality.outcomes",
    "judge_errors": "quality.estimates",
    "judge_estimates": "quality.estimates",
    "judge_kpis": "quality.kpis",
    "judge_labels": "quality.outcomes",
    "judge_outcomes": "quality.outcomes",
    "kpi_values": "quality.kpis",
    "label_delay_s": "quality.outcomes",
    "looks_of": "alerts.alerting",
    "loss_scale": "concept.streams",
    "merge": "windows",
    "outcomes_of": "quality.outcomes",
    "parse_persistence": "alerts.alerting",
    "pending": "alerts.messages",
    "render": "alerts.payload",
    "review": "reviewing",
    "review_standing": "alerts.alerting",
    "skew_findings": "movement.skew",
    "standards_from": "quality.outcomes",
    "standards_of": "quality.standards",
    "standing": "alerts.alerting",
    "stream_lines": "concept.findings",
    "traffic_findings": "movement.traffic",
    "with_errors": "quality.estimates",
    "worth_of": "quality.kpis",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
