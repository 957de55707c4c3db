"""Watch what was served: count it into windows, judge them against what the model was trained on, tell people.

Pure but for the reader of the log that is passed in: records in, records out. What to do about a finding is decided in
`renew`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.monitor.alerting import (
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
    from palio.monitor.command import Command
    from palio.monitor.concept import concept_findings, stream_lines
    from palio.monitor.counting import Subject
    from palio.monitor.delivery import Channel, deliver
    from palio.monitor.drift import drift_findings, drift_of
    from palio.monitor.estimates import Estimator, judge_errors, judge_estimates, with_errors
    from palio.monitor.inputs import input_findings
    from palio.monitor.joint import JointDrift, joint_drift, joint_findings
    from palio.monitor.kpis import Worth, check_kpis, judge_kpis, kpi_values, worth_of
    from palio.monitor.mail import Mail
    from palio.monitor.messages import LEASE_S, AlertState, Arrived, Message, Owed, Told, claim, pending
    from palio.monitor.outcomes import (
        judge_classes,
        judge_labels,
        judge_outcomes,
        label_delay_s,
        outcomes_of,
        standards_from,
        watermark,
    )
    from palio.monitor.payload import render
    from palio.monitor.reviewing import Watching, review
    from palio.monitor.skew import skew_findings
    from palio.monitor.standards import Standard, standards_of
    from palio.monitor.streams import DETECTORS, Detection, ErrorStream, loss_scale
    from palio.monitor.thinning import RowSample
    from palio.monitor.timeline import MOST_WINDOWS
    from palio.monitor.traffic import traffic_findings
    from palio.monitor.webhook import Webhook
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
    "watermark",
    "with_errors",
    "worth_of",
]

_HOMES = {
    "DETECTORS": "streams",
    "LEASE_S": "messages",
    "MOST_WINDOWS": "timeline",
    "AlertRules": "alerting",
    "AlertState": "messages",
    "Arrived": "messages",
    "Channel": "delivery",
    "Command": "command",
    "Detection": "streams",
    "ErrorStream": "streams",
    "Estimator": "estimates",
    "JointDrift": "joint",
    "Look": "alerting",
    "Mail": "mail",
    "Message": "messages",
    "Owed": "messages",
    "Persistence": "alerting",
    "RowSample": "thinning",
    "Standard": "standards",
    "Standing": "alerting",
    "Subject": "counting",
    "Told": "messages",
    "Watching": "reviewing",
    "Webhook": "webhook",
    "WindowBuilder": "windows",
    "Worth": "kpis",
    "check_kpis": "kpis",
    "claim": "messages",
    "concept_findings": "concept",
    "deliver": "delivery",
    "drift_findings": "drift",
    "drift_of": "drift",
    "expected_false_alarms": "alerting",
    "input_findings": "inputs",
    "joint_drift": "joint",
    "joint_findings": "joint",
    "judge_classes": "outcomes",
    "judge_errors": "estimates",
    "judge_estimates": "estimates",
    "judge_kpis": "kpis",
    "judge_labels": "outcomes",
    "judge_outcomes": "outcomes",
    "kpi_values": "kpis",
    "label_delay_s": "outcomes",
    "looks_of": "alerting",
    "loss_scale": "streams",
    "merge": "windows",
    "outcomes_of": "outcomes",
    "parse_persistence": "alerting",
    "pending": "messages",
    "render": "payload",
    "review": "reviewing",
    "review_standing": "alerting",
    "skew_findings": "skew",
    "standards_from": "outcomes",
    "standards_of": "standards",
    "standing": "alerting",
    "stream_lines": "concept",
    "traffic_findings": "traffic",
    "watermark": "outcomes",
    "with_errors": "estimates",
    "worth_of": "kpis",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
