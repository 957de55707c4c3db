"""What one room hands to the next: frozen records, JSON-safe, one module a stage of the life cycle.

Units live in the names; times are UTC; rates and probabilities are in [0, 1]. A record that has an `id` is named by
the SHA-256 of its content, so equal content means equal id. Optional fields are `None`, never a magic value.
"""

from __future__ import annotations

from palio.core.records.base import ColumnType, Modality, OnViolation, Part, Record, TaskKind
from palio.core.records.cut import Parts, Stratum
from palio.core.records.data import (
    MANY,
    Chunk,
    Column,
    ColumnReading,
    ColumnShape,
    Description,
    Form,
    Schema,
    Snapshot,
    Task,
    Violation,
)
from palio.core.records.deployment import Deployment
from palio.core.records.evaluation import (
    CalibrationBin,
    ClassScore,
    Comparison,
    Curve,
    Evaluation,
    Gap,
    Importance,
    Metric,
    Reach,
    Slice,
    WorstRow,
)
from palio.core.records.model import Cost, Manifest, Parity, Reading, Signature, TensorSpec
from palio.core.records.promotion import Check, Decision, Event, Gate, Promotion, Value
from palio.core.records.search import (
    Calibration,
    Criteria,
    Gain,
    Layer,
    LearningCurve,
    LearningPoint,
    Member,
    Run,
    Search,
    SearchPlan,
    Step,
)

__all__ = [
    "MANY",
    "Calibration",
    "CalibrationBin",
    "Check",
    "Chunk",
    "ClassScore",
    "Column",
    "ColumnReading",
    "ColumnShape",
    "ColumnType",
    "Comparison",
    "Cost",
    "Criteria",
    "Curve",
    "Decision",
    "Deployment",
    "Description",
    "Evaluation",
    "Event",
    "Form",
    "Gain",
    "Gap",
    "Gate",
    "Importance",
    "Layer",
    "LearningCurve",
    "LearningPoint",
    "Manifest",
    "Member",
    "Metric",
    "Modality",
    "OnViolation",
    "Parity",
    "Part",
    "Parts",
    "Promotion",
    "Reach",
    "Reading",
    "Record",
    "Run",
    "Schema",
    "Search",
    "SearchPlan",
    "Signature",
    "Slice",
    "Snapshot",
    "Step",
    "Stratum",
    "Task",
    "TaskKind",
    "TensorSpec",
    "Value",
    "Violation",
    "WorstRow",
]
