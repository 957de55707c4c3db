from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from palio.core import ids, seeds
from palio.core.records import Column, Metric, Schema


@given(st.dictionaries(st.text(), st.integers(min_value=-(2**53), max_value=2**53)))
def test_identity_does_not_depend_on_the_order_of_keys(value: dict[str, int]) -> None:
    assert ids.digest_of(value) == ids.digest_of(dict(reversed(list(value.items()))))


def test_equal_records_have_equal_identities() -> None:
    assert ids.digest_of(Metric(value=1, low=0, high=2, n_rows=3)) == ids.digest_of(
        Metric(value=1, low=0, high=2, n_rows=3)
    )


def test_only_64_hexadecimal_digits_are_an_identity() -> None:
    assert ids.is_digest(ids.digest(b"x"))
    assert not ids.is_digest("../" + ids.digest(b"x")[3:])
    assert not ids.is_digest(ids.digest(b"x") + "\n")


@given(st.integers(), st.lists(st.text(), max_size=3))
def test_a_derived_seed_is_stable_and_fits_32_bits(seed: int, names: list[str]) -> None:
    assert seeds.derive(seed, *names) == seeds.derive(seed, *names)
    assert 0 <= seeds.derive(seed, *names) < 2**32


def test_streams_with_other_names_differ() -> None:
    drawn = {seeds.derive(0, "trial", k) for k in range(1000)}
    assert len(drawn) == 1000


def test_a_schema_tells_its_modality_from_its_features() -> None:
    def schema(*types: str) -> Schema:
        return Schema(columns=tuple(Column(name=t, type=t) for t in types))  # type: ignore[arg-type]

    assert schema("number", "text").modality == "tabular"
    assert schema("text").modality == "text"
    assert schema("image", "number").modality == "image"
