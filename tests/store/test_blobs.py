from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.errors import ConfigError, IntegrityError, NotFoundError, UnavailableError
from palio.core.ids import digest
from palio.store import open_store
from palio.store.blobs import Blobs, LocalBlobs, RemoteBlobs, open_blobs
from palio.store.layout import blob_name, without_secrets


@pytest.fixture(params=["files", "fsspec"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return LocalBlobs(tmp_path) if request.param == "files" else RemoteBlobs(f"local://{tmp_path}")


@pytest.mark.parametrize("damaged", [b"rowz", b"row", b"", b"rows and more"])
def test_a_damaged_blob_is_refused_by_name_and_healed_by_the_same_bytes(
    blobs: Blobs, tmp_path: Path, damaged: bytes
) -> None:
    identity = blobs.put(b"rows")
    blobs.open(identity).close()
    path = tmp_path / blob_name(identity)
    path.write_bytes(damaged)
    os.utime(path, ns=(1, 1))
    for ask in (blobs.get, blobs.open):
        with pytest.raises(IntegrityError, match=f"blob {identity[:12]}") as caught:
            ask(identity)
        assert caught.value.facts["blob"] == identity
    if isinstance(blobs, LocalBlobs):
        with pytest.raises(IntegrityError):
            blobs.local_path(identity)
    assert blobs.put(b"rows") == identity
    assert blobs.get(identity) == b"rows"


def test_nothing_but_whole_blobs_lies_in_the_folder(blobs: Blobs, tmp_path: Path) -> None:
    identities = {blobs.put(str(number).encode()) for number in range(20)}
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {blob_name(identity) for identity in identities}


def test_a_write_that_fails_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    class Torn:
        def read(self, _: int) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(UnavailableError, match=r"Input/output error|Errno 5"):
        blobs._write(digest(b"torn"), Torn())  # type: ignore[arg-type]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_that_is_not_there_is_named(blobs: Blobs, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(NotFoundError, match="no such file"):
            blobs.put_file(path)


def test_a_store_can_keep_its_blobs_in_memory_or_a_named_folder(tmp_path: Path) -> None:
    for place in ("memory://bucket/palio", str(tmp_path / "there"), f"file://{tmp_path}/there too"):
        with open_store(tmp_path, blobs=place) as store:
            assert store.blobs.get(store.blobs.put(b"x" * 100)) == b"x" * 100
    assert not (tmp_path / ".palio" / "blobs").exists()


def test_an_unknown_protocol_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match=r"\[store\] blobs: `nonsense`"):
        open_blobs("nonsense://ann:s3cret@bucket", Path())


def test_a_protocol_whose_package_is_absent_names_it() -> None:
    pytest.importorskip("fsspec")
    try:
        import s3fs  # noqa: F401
    except ImportError:
        with pytest.raises(UnavailableError, match="package for `s3`"):
            open_blobs("s3://bucket/folder", Path())
    else:
        pytest.skip("s3fs is installed here")


def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnavailableError, match="Not a directory"):
        LocalBlobs(tmp_path / "file").put(b"x")


@given(user=st.from_regex(r"[a-z]{1,8}", fullmatch=True), secret=st.from_regex(r"[A-Z0-9!%+:]{8,12}", fullmatch=True))
def test_no_secret_of_a_url_is_shown(user: str, secret: str) -> None:
    for url in (f"sftp://{user}:{secret}@host/folder", f"postgresql://host/db?password={secret}"):
        assert secret not in without_secrets(url)
        assert without_secrets(url).startswith(url.split("://")[0] + "://host/")


def test_the_ledger_tells_of_a_deletion_before_the_bytes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    with open_store(tmp_path / "project") as store:
        identity = store.blobs.put(b"scrap")

        def stopped(_: str) -> None:
            told.append(len(store.ledger.events(kind="store.delete")))
            raise UnavailableError("the disk is gone", hint="wait")

        monkeypatch.setattr(store.blobs, "_remove", stopped)
        with pytest.raises(UnavailableError):
            store.blobs.delete(identity)
        assert told == [1]
        assert [event.kind for event in store.ledger.events()] == ["store.delete", "store.keep"]
        with pytest.raises(NotFoundError):
            monkeypatch.undo()
            store.blobs.delete(digest(b"absent"))
        assert len(store.ledger.events()) == 2
