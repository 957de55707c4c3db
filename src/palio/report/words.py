"""The one place where numbers become sentences: plain words, natural frequencies, rounded by how sure they are."""

from __future__ import annotations

import math
import unicodedata
from typing import NamedTuple

from palio.core.cells import condition_as_told
from palio.core.records import CalibrationBin, LearningCurve, Metric, Parts, Slice, Task
from palio.core.words import counted, listed
from palio.measure import METRICS
from palio.report import rounding
from palio.report.rounding import clean, count, of_hundred, percent, with_margin

RULE_OF_THUMB = "rule of thumb"


class Term(NamedTuple):
    """How a metric is called and explained."""

    title: str
    meaning: str = ""
    higher_is_better: bool = True


FAMILIES = {
    "dummy": "rule of thumb",
    "linear": "linear model",
    "ensemble": "mix of models",
    "stacked ensemble": "stacked mix",
    "pruned ensemble": "pruned mix",
    "words": "linear model of words",
    "bayes": "naive Bayes",
    "neighbours": "nearest neighbours",
    "svm": "kernel machine",
    "mlp": "neural networks",
    "forest": "random forest",
    "lightgbm": "boosted trees (LightGBM)",
    "xgboost": "boosted trees (XGBoost)",
    "catboost": "boosted trees (CatBoost)",
    "hog": "linear model of edges and colours",
    "features": "linear model of what a taught network sees",
    "zero_shot": "taught network's own classes",
    "cnn": "small network for pictures",
    "finetune": "taught network, taught further",
    "lstm": "network that reads words in their order",
    "textcnn": "network of phrases",
    "encoder": "taught language network",
    "detector": "network that finds things",
    "dfine": "taught detector (D-FINE)",
    "rtdetr": "taught detector (RT-DETR)",
    "imported": "detector that others taught",
}
VERDICTS = {
    "sound": "Sound: it does on unseen cases what it did while learning.",
    "overfitted": "Learned by heart: it does clearly better on cases it has seen than on new ones.",
    "underfitted": "Too simple: it misses even much of what it has seen.",
    "shifted": "The parts are different: validation and test do not agree.",
    "unknown": "Not known: there is not enough to compare.",
}


def term(metric: str) -> Term:
    """Return how a metric is called; one that is no longer known is called by its name."""
    spec = METRICS.get(metric)
    if spec is None:
        return Term(clean(metric.replace("_", " ")).capitalize())
    return Term(spec.title, spec.meaning, spec.higher_is_better)


def family(name: str) -> str:
    """Return how a model family is called."""
    return FAMILIES.get(name, clean(name))


def brief_family(name: str) -> str:
    """Return how a model family is called where there is little room.

    Example:
        >>> brief_family("lightgbm"), brief_family("forest")
        ('LightGBM', 'random forest')
    """
    called = family(name)
    return called.partition("(")[2].rstrip(")") or called


def quoted(label: object, *, limit: int = 40) -> str:
    """Put a name of the client's own in quotes; one that is written from right to left does not turn its neighbours."""
    text = clean(label, limit=limit)
    is_turned = any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in text)
    return f"“\u2068{text}\u2069”" if is_turned else f"“{text}”"


def amount(metric: Metric, unit: str = "") -> str:
    """Write a value with its margin and unit."""
    return f"{with_margin(metric)} {clean(unit, limit=20)}".strip()


def better(metric: str, first: Metric, second: Metric) -> int:
    """Compare two values of a metric: 2 clearly better, 1 better, 0 equal or not known, −1 worse, −2 clearly worse.

    Clearly: the intervals do not touch.
    """
    if not (math.isfinite(first.value) and math.isfinite(second.value)) or first.value == second.value:
        return 0
    if not term(metric).higher_is_better:
        first, second = second, first
    if first.value > second.value:
        return 2 if first.low > second.high else 1
    return -2 if first.high < second.low else -1


def sources(newest: str, files: tuple[tuple[str, int], ...]) -> str:
    """Say where the rows came from: the first source, and all that was appended to it.

    Example:
        >>> sources("b.csv", (("a.csv", 1200), ("b.csv", 30)))
        'Sources: a.csv (1,200 rows), then appended: b.csv (30 rows)'
    """
    if len(files) < 2:
        return f"Source: {clean(newest, limit=90)}"
    named = [f"{clean(name, limit=90)} ({counted(n_rows, 'row')})" for name, n_rows in files]
    return f"Sources: {named[0]}, then appended: {listed(named[1:], at_most=len(named))}"


def more_rows(curve: LearningCurve, metric: str) -> str:
    """Say whether more rows would help, from the learning curve."""
    _, half, whole = curve.points
    name = f"“{term(metric).title}”"
    rows = f"learning from {count(whole.n_rows)} rows instead of {count(half.n_rows)}"
    if curve.verdict == "unclear":
        change = "improved" if curve.gain > 0 else "did not improve"
        return f"It is unclear: {rows} {change} {name}, but by so little that chance could hide or feign it."
    if curve.verdict == "flat":
        if curve.gain <= curve.error:
            return f"Hardly: {rows} improved {name} by no more than chance does."
        return f"Hardly: {rows} improved {name} by only {rounding.number(curve.gain, digits=2)}."
    return (
        f"Yes: {rows} improved {name} by {rounding.number(curve.gain, digits=2)}. If that goes on, twice as"
        f" many rows bring about {rounding.number(curve.next_gain, digits=2)} more."
    )


def question(task: Task, cases: str) -> str:
    """Say what was asked."""
    target = quoted(task.target)
    if task.kind == "detection":
        things = [quoted(c, limit=24) for c in task.classes]
        return f"Where in the picture is {listed(things, at_most=6) if len(things) > 6 else _either(things)}?"
    if not task.classes:
        return f"How large is {target}?"
    if task.positive is not None and len(task.classes) == 2:
        return f"For which {clean(cases)} is {target} equal to {quoted(task.positive)}?"
    classes = [quoted(c, limit=24) for c in task.classes]
    return f"Which {target} is it: {listed(classes, at_most=6) if len(classes) > 6 else _either(classes)}?"


def _either(words: list[str]) -> str:
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


# ── what the metrics say ────────────────────────────────────────────────────────────────────────────────────────────


def sentence(metric: str, m: Metric, task: Task, *, cases: str = "cases", unit: str = "") -> str:
    """Say in plain words what a metric's value means.

    Example:
        >>> task = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")
        >>> sentence("precision", Metric(value=0.6132, low=0.5744, high=0.6508, n_rows=812), task, cases="customers")
        'Of 100 customers it marks “yes”, 61 ± 4 really are.'
    """
    if not math.isfinite(m.value):
        return "This cannot be told from the test rows."
    cases, positive = clean(cases), quoted(task.positive) if task.positive else ""
    share, size = of_hundred(m), amount(m, unit)
    binary = bool(positive) and len(task.classes) == 2
    in_unit, arm = clean(unit, limit=20), rounding.pair(m)[1]
    give_or_take = f" (give or take {arm})" if arm else ""
    said = {
        "accuracy": f"Of 100 {cases}, {share} get the right answer.",
        "balanced_accuracy": f"With every class counted alike, {share} of 100 get the right answer.",
        "rmse": f"The typical error is {size}, if large errors count more.",
        "mae": f"On average, a prediction is off by {size}.",
        "median_absolute_error": f"Half of the predictions are within {rounding.pair(m)[0]} {in_unit}".rstrip()
        + f" of the truth{give_or_take}.",
        "r2": f"It explains {share} % of the differences between {cases}.",
        "box_recall": f"Of 100 things in the pictures, it finds {share}.",
        "box_precision": f"Of 100 boxes it shows, {share} are really there.",
        "ap50": f"Over all thresholds, its precision is {share} of 100; a box must overlap by half.",
        "ap": f"Over all thresholds, and for boxes placed ever more closely, its precision is {share} of 100.",
    }
    if binary:
        said |= {
            "precision": f"Of 100 {cases} it marks {positive}, {share} really are.",
            "recall": f"Of 100 {cases} that really are {positive}, it finds {share}.",
            "roc_auc": f"Shown one {positive} and one other, it ranks them the right way round {share} times in 100.",
        }
    return said.get(metric, f"{term(metric).title}: {with_margin(m)}.")


def class_sentence(label: str, accuracy: Metric, cases: str = "cases") -> str:
    """Say how well a class is recognised."""
    return f"Of 100 {clean(cases)} that really are {quoted(label)}, it recognises {of_hundred(accuracy)}."


def mix_up(truth: str, prediction: str, share: float) -> str:
    """Say which class is taken for which."""
    n = max(1, round(share * 100))
    return (
        f"Of 100 that really are {quoted(truth)}, about {n} {'is' if n == 1 else 'are'} taken for {quoted(prediction)}."
    )


def calibration(bins: tuple[CalibrationBin, ...], task: Task) -> list[str]:
    """Say whether a stated probability can be taken at its word: the most telling bin, then the worst one."""
    known = [b for b in bins if b.n_rows > 0]
    if not known:
        return []
    middle = [b for b in known if 0.1 <= b.predicted <= 0.9] or known
    typical = max(middle, key=lambda b: b.n_rows)
    lines = [_calibration_line(typical, task)]
    worst = max(known, key=lambda b: max(b.low - b.predicted, b.predicted - b.high))
    off = max(worst.low - worst.predicted, worst.predicted - worst.high)
    if off <= 0.005:
        lines.append(
            "Every group agrees with what it was told, within chance: the percentages can be taken at their word."
        )
    elif worst is not typical:
        lines.append(f"Least reliable: {_calibration_line(worst, task)[0].lower()}{_calibration_line(worst, task)[1:]}")
    proud = sum(b.high < b.predicted for b in known)
    if proud > len(known) / 2 and not (task.positive is not None and len(task.classes) == 2):
        lines.append("It is surer of itself than it should be.")
    return lines


def _calibration_line(b: CalibrationBin, task: Task) -> str:
    binary = task.positive is not None and len(task.classes) == 2
    if binary:
        return f"When it says {percent(b.predicted)}, it happens {percent(b.observed)} of the time."
    return f"When it is {percent(b.predicted)} sure, it is right {percent(b.observed)} of the time."


def difference(metric: str, d: Metric, unit: str = "") -> str:
    """Say how far a score is from the rest, as a signed amount: `0.04 ± 0.01 lower`."""
    way = "higher" if d.value > 0 else "lower"
    mirrored = Metric(value=abs(d.value), low=abs(d.value) - rounding.margin(d), high=abs(d.value), n_rows=d.n_rows)
    in_unit = unit if metric in METRICS and METRICS[metric].in_unit else ""
    return f"{amount(mirrored, in_unit)} {way}" if d.value else "no different"


def condition(part: Slice) -> str:
    """Name a slice: its column, then the condition, which is written to stand behind the column's name."""
    return named(part.column, part.condition)


_LOOKS = {
    "brightness": ("dark", "bright"),
    "contrast": ("flat", "high-contrast"),
    "saturation": ("pale", "colourful"),
    "sharpness": ("blurred", "sharp"),
    "noise": ("smooth", "noisy"),
    "blockiness": ("hardly compressed", "strongly compressed"),
    "warmth": ("cold", "warm"),
    "aspect": ("tall", "wide"),
    "pixels": ("small", "large"),
}
"""What describes a picture (`palio.pixels.STATISTICS`): how pictures with little and with much of it are called."""
_LOGARITHMS = {"aspect": "width over height", "pixels": "pixels"}


def named(column: str, condition: str) -> str:
    """Name the rows of a condition on a column; those of pictures in the words of a person who looks at them.

    Example:
        >>> named("age", "from 30 to 40"), named("picture.brightness", "below 71")
        ('age from 30 to 40', 'dark pictures: brightness below 71')
    """
    statistic = column.rpartition(".")[2]
    if column == "look":
        return f"pictures that look {clean(condition, limit=60)}"
    if "." not in column or statistic not in _LOOKS:
        return f"{clean(column, limit=40)} {clean(condition, limit=60)}".strip()
    condition = condition_as_told(column, condition)
    low, high = _LOOKS[statistic]
    kind = low if condition.startswith("below") else high if condition.startswith("at least") else "middling"
    return f"{kind} pictures: {_LOGARITHMS.get(statistic, statistic)} {clean(condition, limit=60)}"


# ── the data ────────────────────────────────────────────────────────────────────────────────────────────────────────

POLICIES = {
    "60-20-20": "60 % to learn, 20 % to choose, 20 % sealed for the test",
    "80-10-10": "80 % to learn, 10 % to choose, 10 % sealed for the test",
    "cv": "80 % to learn and to choose by cross-validation, 20 % sealed for the test",
}
METHODS = {
    "random": "by chance",
    "grouped": "so that rows of one group stay together",
    "time": "by time: the test rows are the newest",
    "given": "as the data came",
}


def cut(parts: Parts) -> str:
    """Say how the rows were divided."""
    if parts.method == "given":
        chosen = "to learn and to choose by cross-validation" if parts.policy == "cv" else "to learn, to choose"
        return f"The parts came with the data: {chosen}, and sealed for the test."
    policy = POLICIES.get(parts.policy, clean(parts.policy))
    method = METHODS.get(parts.method, clean(parts.method))
    return f"{policy}, divided {method}."


def looks(parts: Parts, used: int | None) -> str:
    """Say how often the sealed test part has been opened."""
    if used is None:
        return f"It may be opened {parts.look_budget} times in all."
    times = "once" if used == 1 else counted(used, "time")
    return f"It has been opened {times}; {count(parts.look_budget)} looks are allowed, and each is on record."
