"""Look a bundle over: bytes, signature, and whether it still answers its golden rows as it did."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from palio.core.errors import IntegrityError, PalioError
from palio.core.ids import short
from palio.core.records import Check, Signature
from palio.core.version import __version__
from palio.measure import log_column
from palio.model.bundle.bundle import Bundle, load, open_folder
from palio.model.bundle.parity import TOLERANCES, check_parity
from palio.model.bundle.signing import read_signatures, signatures_of
from palio.model.cells.names import input_specs

if TYPE_CHECKING:
    from palio.model.bundle.signing import Trust
    from palio.store import Store

_PACKAGES = (
    *(
        "catboost",
        "lightgbm",
        "numpy",
        "onnx",
        "onnxruntime",
        "pillow",
        "polars",
        "scikit-learn",
        "tokenizers",
        "torch",
    ),
    *("transformers", "xgboost-cpu"),
)


def verify(store: Store, bundle: str, *, tolerance: float | None = None, trust: Trust | None = None) -> list[Check]:
    """Check every byte of a bundle of the store, and its golden rows against its graph; never raises for a bad bundle.

    With `trust`, check too that one of its keys signed the bundle.

    Raises:
        NotFoundError: there is no such bundle.
    """
    try:
        opened = load(store, bundle)
    except IntegrityError as error:
        return [_broken(error)]
    checks = verify_bundle(opened, tolerance=tolerance)
    return checks if trust is None else [*checks, _signed(opened.id, trust, signatures_of(store, opened.id))]


def verify_folder(
    path: Path, *, expected: str = "", tolerance: float | None = None, trust: Trust | None = None
) -> list[Check]:
    """Do the same for a bundle that was exported to a folder."""
    try:
        opened = open_folder(path, expected=expected)
        signatures = () if trust is None else read_signatures(path)
    except IntegrityError as error:
        return [_broken(error)]
    checks = verify_bundle(opened, tolerance=tolerance)
    return checks if trust is None else [*checks, _signed(opened.id, trust, signatures)]


def verify_bundle(bundle: Bundle, *, tolerance: float | None = None) -> list[Check]:
    """Do the same for a bundle that is open: its bytes have been checked by opening it."""
    checks = [
        Check(
            name="bytes",
            passed=True,
            observed=f"{len(bundle.members)} members as in the manifest",
            required="every member has its SHA-256",
            reason=f"Every byte of bundle {short(bundle.id)} is what its identity says.",
        ),
        _signature(bundle),
        _golden(bundle, tolerance),
    ]
    return checks if bundle.manifest.format == 1 else [*checks, _reference(bundle)]


def versions() -> dict[str, str]:
    """Return the versions of Palio and of the packages that a model depends on, those that are installed."""
    return {"palio": __version__} | _installed()


@cache
def _installed() -> dict[str, str]:
    """Return the versions of packages, which do not change while a process lives; looking them up takes .1 s."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _broken(error: IntegrityError) -> Check:
    return Check(
        name="bytes",
        passed=False,
        observed=error.message,
        required="every member has its SHA-256",
        reason=f"The bundle is not whole: {error.message}.",
    )


def _signature(bundle: Bundle) -> Check:
    schema = bundle.manifest.schema
    wanted = input_specs(schema)
    passed = bundle.graph.inputs == wanted
    return Check(
        name="signature",
        passed=passed,
        observed=f"{len(bundle.graph.inputs)} inputs",
        required=f"{len(wanted)} inputs, one for each feature column",
        reason="The graph reads the columns of its schema."
        if passed
        else "The graph does not read the columns of its schema.",
    )


def _signed(bundle: str, trust: Trust, signatures: tuple[Signature, ...]) -> Check:
    signers = " and ".join(short(key.id) for key in trust.signers(bundle, signatures))
    reason = f"Key {signers} signed bundle {short(bundle)}."
    if not signers:
        reason = f"No trusted key signed bundle {short(bundle)}: {trust.why_not(bundle, signatures)}."
    return Check(
        name="signed",
        passed=bool(signers),
        observed=f"{len(signatures)} signatures",
        required=f"one of {', '.join(short(key.id) for key in trust.keys)}",
        reason=reason,
    )


def _reference(bundle: Bundle) -> Check:
    required = "bins of the columns, and rows with answers and truth"
    try:
        _, reference, rows = bundle.shapes(), bundle.reference(), bundle.reference_rows()
    except PalioError as error:
        return Check(name="reference", passed=False, observed=error.message, required=required, reason=error.message)
    columns = () if reference is None else reference.columns
    absent = [column.name for column in columns if log_column(column) not in (rows or {})]
    return Check(
        name="reference",
        passed=not absent,
        observed=f"{len(columns)} columns, {len((rows or {}).get('truth', ()))} rows",
        required=required,
        reason=f"Its rows lack `{absent[0][:80]}`, which its bins are of." if absent else _REMEMBERS,
    )


_REMEMBERS = "It remembers what it was trained on."


def _golden(bundle: Bundle, tolerance: float | None) -> Check:
    tolerance = TOLERANCES[bundle.graph.precision] if tolerance is None else tolerance
    required = f"no other label, differences up to {tolerance:g}"
    try:
        golden = bundle.golden()
        parity = check_parity(
            bundle.graph, golden.feeds, golden.outputs, path="golden rows and graph", tolerance=tolerance
        )
    except PalioError as error:
        return Check(name="golden rows", passed=False, observed=error.message, required=required, reason=error.message)
    observed = f"{parity.rows} rows, largest difference {parity.max_abs_diff:.1e}, {parity.n_label_diffs} other labels"
    return Check(
        name="golden rows",
        passed=parity.passed,
        observed=observed,
        required=required,
        reason="The graph answers its golden rows as when it was made."
        if parity.passed
        else "The graph no longer answers its golden rows as when it was made.",
    )
