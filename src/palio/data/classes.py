"""Say what is to be known of the labels of a target: which class is of interest, which look alike, which are rare."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from palio.core.cells import folded
from palio.core.errors import InputError, did_you_mean
from palio.core.words import counted, listed

RARE = 3
"""A class of fewer rows cannot be in train, validation and test."""
FEW_EACH = 10
"""Rows of each class, on average, below which many classes are told."""
_OF_INTEREST = (
    "yes true positive pos spam churn churned fraud fraudulent bad default defaulted malignant ill sick disease "
    "diseased abnormal anomaly anomalous attack attacked faulty fault failed failure fail defect defective broken "
    "dead died death left bankrupt stroke cancer phishing malware malicious toxic"
)
"""Names that say what a question is about; the rarer of two decides where both or none of them does."""
_THE_REST = (
    "no false negative neg ham good normal benign healthy ok okay legit legitimate genuine none nothing paid retained "
    "stayed alive survived pass passed intact regular background absent clean safe harmless control 0 -1"
)
_OPPOSITES = {"1": ("0", "-1"), "y": ("n",), "t": ("f",), "+": ("-",), "on": ("off",), "ja": ("nein",)}
"""Short names, which mean something only beside their opposite: of 1 and 2 neither is of interest by its name."""
_DENIED = re.compile(r"^(?:not|no|non|without)[\s_-]*")


_BETWEEN = re.compile(r"\s*[;,|/+&]\s*|\s+and\s+")


def several(name: str, counts: Mapping[str, int]) -> list[str]:
    """Tell of labels that hold several of the others: a row may have had more than one answer.

    Example:
        >>> several("tags", {"sport": 30, "money": 20, "money; sport": 5, "art/craft": 9})[0].split(":")[1]
        ' `money; sport` holds several of the other classes (5 rows)'
    """
    found = []
    for label in sorted(counts, key=lambda one: (-counts[one], one)):
        parts = _BETWEEN.split(label)
        if len(set(parts)) > 1 and all(part in counts and part != label for part in parts):
            found.append(label)
    if not found:
        return []
    n_rows = sum(counts[label] for label in found)
    return [
        f"`{name}`: {listed((f'`{label}`' for label in found), at_most=3)} {'holds' if len(found) == 1 else 'hold'} "
        f"several of the other classes ({counted(n_rows, 'row')}): a row has one class here, so each counts as another "
        "class; where rows may have several, make a yes-or-no column of each class, and a model of each column"
    ]


def class_of_interest(
    classes: Sequence[str], counts: Mapping[str, int], *, wanted: str = "", where: str
) -> tuple[str | None, str]:
    """Choose the class of interest of two; None where there are more.

    The rarer one, unless a name tells: `yes`, `fraud`, `churn` are what a question is about; `no`, `good`, `0` never
    are beside their opposite.

    Returns:
        The class, and why it was taken.

    Raises:
        InputError: `wanted` does not occur.

    Example:
        >>> class_of_interest(("0", "1"), {"0": 10, "1": 90}, where="y")
        ('1', 'by its name')
        >>> class_of_interest(("cat", "dog"), {"cat": 10, "dog": 90}, where="y")
        ('cat', 'the rarer one')
    """
    if wanted and wanted not in classes:
        folded = [c for c in classes if c.lower() == wanted.lower()]
        raise InputError(
            f"{where}: the positive class `{wanted}` does not occur",
            hint=f"did you mean `{folded[0]}`?" if folded else did_you_mean(wanted, classes),
        )
    if len(classes) != 2:
        return None, ""
    if wanted:
        return wanted, "as asked"
    first, second = classes
    for label, other in ((first, second), (second, first)):
        if _is_about(_bare(label), _bare(other)) and not _is_about(_bare(other), _bare(label)):
            return label, "by its name"
    if counts[first] == counts[second]:
        return min(classes), "both are as frequent"
    return min(classes, key=lambda c: (counts[c], c)), "the rarer one"


def _is_about(label: str, other: str) -> bool:
    """Tell whether the names say that `label`, and not `other`, is what the question is about."""
    if other in _OPPOSITES.get(label, ()) or (_DENIED.sub("", other) == label and other != label):
        return True
    about, rest = _OF_INTEREST.split(), _THE_REST.split()
    return label not in rest and (label in about or other in rest)


def _bare(label: str) -> str:
    return label.strip("'\" \t").casefold().replace("_", " ")


def look_alike(name: str, counts: Mapping[str, int], *, what: str = "class") -> list[str]:
    """Say which labels, or values of another column, differ in case or blanks alone, with their rows.

    Example:
        >>> look_alike("y", {"yes": 8, "Yes": 2, "no": 9})[0][:60]
        '`y`: `yes` (8 rows) and `Yes` (2 rows) differ only in case o'
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        alike[folded(label)].append(label)
    several = [
        listed(
            f"`{label}` ({counted(counts[label], 'row')})" for label in sorted(labels, key=lambda c: (-counts[c], c))
        )
        for labels in alike.values()
        if len(labels) > 1
    ]
    if not several:
        return []
    is_plain = all(len({" ".join(label.split()).casefold() for label in labels}) == 1 for labels in alike.values())
    or_encoded = "" if is_plain else " or in how a letter is encoded"
    return [
        f"`{name}`: {'; '.join(several[:5])}{'; …' if len(several) > 5 else ''} differ only in case or blanks"
        f"{or_encoded}, "
        f"{counted(len(counts), what)} where {len(alike):,} may be meant: if so, write fold = true for `{name}` in "
        "schema.toml"
    ]


def together(counts: Mapping[str, int]) -> dict[str, int]:
    """Add up the rows of labels that differ in case or blanks alone, under the most frequent of them.

    Example:
        >>> together({"yes": 8, "Yes": 2, "no": 9})
        {'no': 9, 'yes': 10}
    """
    found: dict[str, tuple[str, int]] = {}
    for name, n in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        first, n_before = found.get(folded(name), (name, 0))
        found[folded(name)] = first, n_before + n
    return dict(found.values())


def rare(name: str, counts: Mapping[str, int]) -> list[str]:
    """Say which classes have too few rows to be learned and judged."""
    said, each = [], sum(counts.values()) / max(len(counts), 1)
    if len(counts) > 2 and each < FEW_EACH:
        said.append(
            f"`{name}`: {counted(len(counts), 'class')} in {counted(sum(counts.values()), 'row')}, {each:.2g} rows of "
            "each on average, are hardly enough to learn them"
        )
    few = sorted((n, label) for label, n in counts.items() if n < RARE)
    if few:
        shown = listed(f"`{label}` ({counted(n, 'row')})" for n, label in few)
        said.append(f"`{name}`: rare classes can hardly be learned, and not be judged: {shown}")
    return said
