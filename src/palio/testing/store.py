"""What every store must do, whatever database and blobs it stands on. Subclass `StoreContract` and give its place."""

from __future__ import annotations

import concurrent.futures
import hashlib
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from palio.core.errors import (
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    RefusedError,
)
from palio.core.ids import canonical_json, digest
from palio.core.records import Check, Decision, Metric, Schema, Snapshot, Stratum
from palio.store import Store
from palio.testing import racing
from palio.testing.racing import Place, make_decision, promote, put_bundle

N_RACERS = 16


class StoreContract:
    """Subclass it and override the fixture `place`.

    Example:
        >>> class TestMine(StoreContract):
        ...     @pytest.fixture
        ...     def place(self, tmp_path):
        ...         return Place(tmp_path, url="postgresql://…", blobs="s3://…")
    """

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        raise NotImplementedError("say where the store is: override the fixture `place`")

    @pytest.fixture
    def store(self, place: Place) -> Iterator[Store]:
        with place.open() as store:
            yield store

    # ── blobs ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("data", [b"", b"\x00\xff" * 10, b"x" * 3_000_000])
    def test_bytes_come_back_under_their_hash(self, store: Store, data: bytes, tmp_path: Path) -> None:
        identity = store.blobs.put(data)
        assert identity == hashlib.sha256(data).hexdigest()
        assert store.blobs.get(identity) == data
        assert store.blobs.exists(identity) and store.blobs.size(identity) == len(data)
        with store.blobs.open(identity) as file:
            assert file.read(5) == data[:5]
            assert file.seek(0) == 0 and file.read() == data
        path = store.blobs.local_path(identity)
        assert path is None or path.read_bytes() == data
        (tmp_path / "copy").write_bytes(data)
        assert store.blobs.put_file(tmp_path / "copy") == store.blobs.put(data) == identity

    def test_a_missing_blob_is_named(self, store: Store) -> None:
        absent = digest(b"absent")
        assert not store.blobs.exists(absent)
        for ask in (store.blobs.get, store.blobs.open, store.blobs.size, store.blobs.delete):
            with pytest.raises(NotFoundError, match=absent[:12]):
                ask(absent)

    @pytest.mark.parametrize("name", ["", "../../etc/passwd", "AB" * 32, "ab" * 31, "/" * 64])
    def test_what_is_not_an_identity_never_becomes_a_path(self, store: Store, name: str) -> None:
        for ask in (store.blobs.get, store.blobs.open, store.blobs.exists, store.blobs.size, store.blobs.local_path):
            with pytest.raises(InputError, match="not an identity"):
                ask(name)

    def test_a_blob_that_nobody_needs_can_be_deleted_and_the_ledger_says_so(self, store: Store) -> None:
        identity = store.blobs.put(b"scrap")
        store.blobs.delete(identity)
        assert not store.blobs.exists(identity)
        assert [line.subject for line in store.ledger.events(kind="store.delete")] == [identity]

    # ── ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_lines_come_back_in_order_and_chained(self, store: Store) -> None:
        written = [
            store.ledger.append("data.ingest", "a", "Read a file.", payload={"rows": 3, "share": 0.1, "nan": math.nan}),
            store.ledger.append("split.cut", "b", "Cut it — ½ und ½ 🐎.", actor="Anna"),
            store.ledger.append("data.ingest", "b", "zero \x00 and half \ud800 characters"),
        ]
        assert store.ledger.events() == written
        assert [line.sequence for line in written] == [1, 2, 3]
        assert [line.previous_hash for line in written[1:]] == [line.hash for line in written[:-1]]
        assert written[0].payload == {"rows": 3, "share": 0.1, "nan": None}
        assert store.ledger.head() == (3, written[-1].hash)
        store.ledger.verify()

    def test_lines_can_be_found_by_kind_subject_and_number(self, store: Store) -> None:
        for number, (kind, subject) in enumerate([("a.b", "x"), ("a.c", "y"), ("ab", "x")]):
            store.ledger.append(kind, subject, f"Line {number}.")

        def numbers(**how: Any) -> list[int]:
            return [line.sequence for line in store.ledger.events(**how)]

        assert numbers(kind="a.") == [1, 2] and numbers(kind="a") == [1, 2, 3]
        assert numbers(subject="x") == [1, 3] and numbers(after=1, limit=1) == [2]
        assert numbers(kind="%") == [] and numbers(kind="A.") == []
        assert store.ledger.count("a.b", "x") == 1

    def test_a_budget_of_lines_cannot_be_overdrawn(self, store: Store) -> None:
        for _ in range(2):
            store.ledger.append("evaluate.look", "parts", "Look.", at_most=2)
        with pytest.raises(RefusedError, match="all 2 are used"):
            store.ledger.append("evaluate.look", "parts", "Look.", at_most=2)
        store.ledger.append("evaluate.look", "other parts", "Look.", at_most=2)
        assert len(store.ledger.events()) == 3

    def test_a_line_that_is_to_stand_once_stands_once(self, store: Store) -> None:
        first = store.ledger.append_once("a.b", "x", "Once.")
        assert store.ledger.append_once("a.b", "x", "Twice.") == first
        assert len(store.ledger.events()) == 1

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE palio_events SET text = 'nothing happened' WHERE sequence = 2",
            "UPDATE palio_events SET payload = '{}' WHERE sequence = 2",
            "UPDATE palio_events SET actor = 'bob' WHERE sequence = 2",
            "DELETE FROM palio_events WHERE sequence = 2",
            "DELETE FROM palio_events WHERE sequence >= 2",
            "DELETE FROM palio_promotions",
            "UPDATE palio_promotions SET bundle = 'ff'",
            "UPDATE palio_promotions SET at = '2020-01-01T00:00:00.000000+00:00'",
        ],
    )
    def test_what_was_changed_by_hand_is_found(self, store: Store, change: str) -> None:
        store.ledger.append("a.b", "x", "First.")
        promote(store, put_bundle(store, "a"), expected=None)
        store.ledger.append("a.b", "x", "Last.")
        store.ledger.verify()
        with store.database.write() as connection:
            connection.execute(sa.text(change))
        with pytest.raises(IntegrityError, match="ledger line 2"):
            store.ledger.verify()

    def test_threads_may_share_a_store(self, store: Store) -> None:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.ledger.append("a.b", str(n), "Line."), range(40)))
        assert [line.sequence for line in store.ledger.events()] == list(range(1, 41))
        store.ledger.verify()

    # ── records and steps ───────────────────────────────────────────────────────────────────────────────────────────

    def test_records_come_back_equal_by_key_and_by_its_beginning(self, store: Store) -> None:
        strata = [Stratum(key=f"stratum {n} 🐎", train=n / 7, validation=1e-300) for n in range(3)]
        keys = [digest(str(n).encode()) for n in range(3)]
        for record, key in zip(strata, keys, strict=True):
            store.records.put(record, key=key)
        store.records.put(strata[0], key=keys[0])
        assert store.records.get(Stratum, keys[1]) == store.records.get(Stratum, keys[1][:6]) == strata[1]
        assert store.records.all(Stratum) == strata
        assert store.records.all(Stratum, newest_first=True) == strata[::-1]
        assert store.records.get(Check, keys[1]) is None and store.records.get(Stratum, keys[1][:5]) is None
        with pytest.raises(NotFoundError, match="stratum"):
            store.records.require(Stratum, digest(b"absent"))

    def test_a_record_never_changes(self, store: Store) -> None:
        store.records.put(Stratum(key="a", train=0.6, validation=0.8), key="k")
        with pytest.raises(ConflictError, match="another one is stored"):
            store.records.put(Stratum(key="a", train=0.7, validation=0.8), key="k")
        assert store.records.get(Stratum, "k") == Stratum(key="a", train=0.6, validation=0.8)

    def test_a_beginning_that_fits_two_keys_is_refused(self, store: Store) -> None:
        for key in ("abcdef1", "abcdef2"):
            store.records.put(Stratum(key=key, train=0.6, validation=0.8), key=key)
        with pytest.raises(InputError, match="several begin so"):
            store.records.get(Stratum, "abcdef")
        assert store.records.require(Stratum, "abcdef1").key == "abcdef1"

    def test_a_record_that_could_not_be_read_back_is_refused(self, store: Store) -> None:
        with pytest.raises(InputError, match="cannot be read back"):
            store.records.put(Metric(value=math.nan, low=0, high=1, n_rows=1), key="k")
        assert store.records.all(Metric) == []

    def test_a_step_is_remembered_and_may_be_remembered_anew(self, store: Store) -> None:
        assert store.steps.get("train", "inputs") is None
        store.steps.put("train", "inputs", "one")
        store.steps.put("train", "inputs", "two")
        assert store.steps.get("train", "inputs") == "two"
        assert store.steps.get("split", "inputs") is None

    # ── promotions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_promotion_writes_champion_line_and_decision_together(self, store: Store) -> None:
        bundle = put_bundle(store, "a")
        assert store.promotions.champion("bank") is None and store.promotions.models() == []
        promotion = promote(store, bundle, expected=None)
        assert store.promotions.champion("bank") == promotion
        assert store.promotions.history("bank") == [promotion] and store.promotions.models() == ["bank"]
        assert (promotion.version, promotion.previous, promotion.kind, promotion.actor) == (1, None, "promote", "ann")
        line = store.ledger.events()[promotion.sequence - 1]
        assert (line.kind, line.subject, line.at) == ("promote.release", bundle, promotion.at)
        assert line.text == "Version 1 of bank is the champion."
        assert store.records.require(Decision, str(promotion.decision)) == make_decision(bundle)
        assert store.promotions.champion("other") is None

    def test_versions_count_up_and_a_rollback_brings_one_back(self, store: Store) -> None:
        bundles = [put_bundle(store, name) for name in "abc"]
        for version, bundle in enumerate(bundles):
            promote(store, bundle, expected=version or None)
        assert self._rollback(store) == 2
        assert self._rollback(store) == 1
        assert store.promotions.previous("bank") is None
        promotion = promote(store, bundles[2], expected=1)
        assert (promotion.version, promotion.previous) == (4, 1)
        assert [line.version for line in store.promotions.history("bank")] == [1, 2, 3, 2, 1, 4]
        assert self._rollback(store) == 1
        store.ledger.verify()

    def test_whoever_expected_another_champion_is_refused_and_nothing_is_written(self, store: Store) -> None:
        first, second = put_bundle(store, "a"), put_bundle(store, "b")
        promote(store, first, expected=None)
        before = store.ledger.head()
        for expected in (None, 2):
            with pytest.raises(ConflictError, match="champion is version 1"):
                promote(store, second, expected=expected)
        with pytest.raises(ConflictError, match="champion already"):
            promote(store, first, expected=1)
        assert store.ledger.head() == before
        assert store.records.get(Decision, make_decision(second).id) is None

    def test_a_bundle_that_is_not_whole_cannot_go_live(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match=digest(b"absent")[:12]):
            promote(store, digest(b"absent"), expected=None)
        torn = store.blobs.put(canonical_json({"files": {"model.onnx": digest(b"absent")}}))
        with pytest.raises(NotFoundError, match=r"model\.onnx"):
            promote(store, torn, expected=None)
        with pytest.raises(IntegrityError, match="not the manifest"):
            promote(store, store.blobs.put(b"PK\x03\x04"), expected=None)
        assert store.ledger.events() == [] and store.promotions.champion("bank") is None

    @pytest.mark.parametrize("model", ["", "  ", "x" * 201])
    def test_a_model_needs_a_name(self, store: Store, model: str) -> None:
        with pytest.raises(InputError, match="name"):
            promote(store, put_bundle(store, "a"), expected=None, model=model)

    def test_what_is_live_and_what_it_cites_cannot_be_deleted(self, store: Store) -> None:
        bundles = [put_bundle(store, name) for name in "abcd"]
        for version, bundle in enumerate(bundles[:3]):
            promote(store, bundle, expected=version or None)
        champion = store.promotions.champion("bank")
        assert champion is not None
        assert set(store.live()) == set(bundles[1:3])
        cited = [digest(b"model.onnx of c"), digest(b"card.md of b"), champion.evidence, bundles[2], bundles[1]]
        for identity in cited:
            with pytest.raises(RefusedError, match=r"cannot be deleted: it is .*(version [23] of model|champion)"):
                store.blobs.delete(identity)
            assert store.blobs.exists(identity)
        for identity in (bundles[0], bundles[3], digest(b"model.onnx of d")):
            store.blobs.delete(identity)

    def test_what_a_live_record_cites_is_kept_too(self, store: Store) -> None:
        chunk = store.blobs.put(b"rows")
        snapshot = digest(b"snapshot")
        store.records.put(Stratum(key=chunk, train=0, validation=0), key=snapshot)
        store.records.put(Stratum(key=digest(b"free"), train=0, validation=0), key=store.blobs.put(b"free"))
        promote(store, store.blobs.put(canonical_json({"files": {}, "snapshot": snapshot})), expected=None)
        with pytest.raises(RefusedError, match="cited by"):
            store.blobs.delete(chunk)
        store.blobs.delete(digest(b"free"))

    def test_pictures_of_a_live_snapshot_are_kept_though_a_list_alone_names_them(self, store: Store) -> None:
        pictures = [store.blobs.put(name) for name in (b"cat", b"dog")]
        snapshot = Snapshot(
            id=digest(b"snapshot"),
            version=1,
            parent=None,
            source="pets",
            schema=Schema(columns=()),
            n_rows=2,
            n_unlabelled=0,
            n_quarantined=0,
            column_digests={},
            chunks=(),
            profile=digest(b"profile"),
            media=store.blobs.put("".join(f"{picture}\n" for picture in pictures).encode()),
        )
        store.records.put(snapshot, key=snapshot.id)
        promote(store, store.blobs.put(canonical_json({"files": {}, "snapshot": snapshot.id})), expected=None)
        for identity in (*pictures, snapshot.media):
            with pytest.raises(RefusedError, match="cited by"):
                store.blobs.delete(identity)

    # ── many processes, and sudden death ────────────────────────────────────────────────────────────────────────────

    def test_sixteen_processes_may_open_one_empty_store_at_once(self, place: Place) -> None:
        assert racing.race(racing.append_lines, [(place, 3)] * N_RACERS) == [3] * N_RACERS
        with place.open() as store:
            assert len(store.ledger.events()) == 3 * N_RACERS
            store.ledger.verify()

    def test_of_many_that_promote_at_once_exactly_one_wins(self, place: Place) -> None:
        with place.open() as store:
            promote(store, put_bundle(store, "champion"), expected=None)
            bundles = [put_bundle(store, str(n)) for n in range(8)]
        results = racing.race(racing.try_promotion, [(place, bundle, 1) for bundle in bundles])
        assert sorted(map(str, results)) == ["2"] + ["ConflictError"] * 7
        with place.open() as store:
            champion = store.promotions.champion("bank")
            assert champion is not None and champion.bundle == bundles[results.index(2)]
            assert len(store.promotions.history("bank")) == 2 == len(store.records.all(Decision))
            store.ledger.verify()

    def test_the_last_unit_of_a_budget_goes_to_one(self, place: Place) -> None:
        place.open().close()
        results = racing.race(racing.spend, [(place, 3)] * 8)
        assert results.count("RefusedError") == 5
        assert sorted(number for number in results if number != "RefusedError") == [1, 2, 3]

    @pytest.mark.parametrize(
        "statement",
        [
            "<INSERT INTO palio_records",
            ">INSERT INTO palio_records",
            ">INSERT INTO palio_events",
            ">UPDATE palio_head",
            ">INSERT INTO palio_promotions",
        ],
    )
    def test_death_at_any_statement_leaves_no_half_promotion(self, place: Place, statement: str) -> None:
        with place.open() as store:
            first = promote(store, put_bundle(store, "a"), expected=None)
            head = store.ledger.head()
        process = racing.start(racing.die_while_promoting, place, statement)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        with place.open() as store:
            assert store.promotions.champion("bank") == first
            assert store.ledger.head() == head and len(store.records.all(Decision)) == 1
            store.ledger.verify()
            assert promote(store, put_bundle(store, "b"), expected=1).version == 2

    def test_kill_9_loses_no_acknowledged_promotion(self, place: Place, tmp_path: Path) -> None:
        acknowledged = tmp_path / "acknowledged"
        acknowledged.touch()
        for turn in range(4):
            process = racing.start(racing.promote_for_ever, place, acknowledged)
            n_before = len(acknowledged.read_text().split())
            while len(acknowledged.read_text().split()) < n_before + 3 * turn + 1 and process.is_alive():
                time.sleep(0.001 * (turn + 1))
            assert process.is_alive()
            process.kill()
            process.join()
            with place.open() as store:
                store.ledger.verify()
                versions = [promotion.version for promotion in store.promotions.history("bank")]
                assert versions == list(range(1, len(versions) + 1))
                told = [int(line) for line in acknowledged.read_text().split()]
                assert set(told) <= set(versions) and len(versions) - len(told) <= turn + 1
                assert len(store.records.all(Decision)) == len(versions)

    @staticmethod
    def _rollback(store: Store) -> int:
        champion, previous = store.promotions.champion("bank"), store.promotions.previous("bank")
        assert champion is not None and previous is not None
        restored = store.promotions.append(
            "bank",
            previous.bundle,
            expected=champion.version,
            kind="rollback",
            decision=None,
            evidence=previous.evidence,
            reason="It was worse.",
            actor=None,
            event_text="Rolled back to {version}.",
        )
        assert restored.previous == champion.version
        return restored.version
