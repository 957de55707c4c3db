"""Only who has the key can sign, and a signature is good for one bundle."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from palio import model
from palio.core.errors import InputError, IntegrityError, RefusedError, UnavailableError
from palio.core.ids import digest
from palio.core.records import Signature
from palio.model.bundle.signing import signatures_of

BUNDLE, OTHER = digest(b"one"), digest(b"another")


def make(folder: Path, name: str = "key") -> model.PrivateKey:
    model.make_keys(folder / f"{name}.pem", folder / f"{name}.pub")
    return model.read_private_key(folder / f"{name}.pem")


@pytest.fixture
def key(tmp_path: Path) -> model.PrivateKey:
    return make(tmp_path)


@pytest.fixture
def trust(key: model.PrivateKey) -> model.Trust:
    return model.Trust([key.public])


def changed(original: Signature, **fields: str) -> Signature:
    return msgspec.structs.replace(original, **fields)


def test_a_signature_of_a_trusted_key_is_accepted(key: model.PrivateKey, trust: model.Trust) -> None:
    assert trust.require(BUNDLE, [key.sign(BUNDLE)]) == key.public
    assert trust.signers(BUNDLE, [key.sign(BUNDLE)]) == (key.public,)


def test_the_message_is_what_is_documented(key: model.PrivateKey) -> None:
    public = ed25519.Ed25519PublicKey.from_public_bytes(key.public.raw)
    public.verify(base64.b64decode(key.sign(BUNDLE).signature), b"palio bundle v1\n" + BUNDLE.encode())


def test_an_unsigned_bundle_is_refused(trust: model.Trust) -> None:
    with pytest.raises(RefusedError, match="not signed by a trusted key") as refused:
        trust.require(BUNDLE, [])
    assert "palio model sign" in refused.value.hint


def test_another_key_is_refused_by_name(trust: model.Trust, tmp_path: Path) -> None:
    stranger = make(tmp_path, "stranger")
    with pytest.raises(RefusedError, match=f"signed by {stranger.public.id[:12]}, which is not trusted"):
        trust.require(BUNDLE, [stranger.sign(BUNDLE)])


def test_another_key_in_the_name_of_a_trusted_one_is_refused(
    key: model.PrivateKey, trust: model.Trust, tmp_path: Path
) -> None:
    forged = changed(make(tmp_path, "stranger").sign(BUNDLE), key=key.public.id)
    with pytest.raises(RefusedError, match="not genuine"):
        trust.require(BUNDLE, [forged])
    assert trust.require(BUNDLE, [forged, key.sign(BUNDLE)]) == key.public  # a forgery beside it does no harm


def test_a_signature_of_another_bundle_is_refused(key: model.PrivateKey, trust: model.Trust) -> None:
    signature = key.sign(OTHER)
    with pytest.raises(RefusedError, match="of another bundle"):
        trust.require(BUNDLE, [signature])
    with pytest.raises(RefusedError, match="not genuine"):
        trust.require(BUNDLE, [changed(signature, bundle=BUNDLE)])


def test_a_bare_signature_of_the_identity_is_refused(key: model.PrivateKey, trust: model.Trust, tmp_path: Path) -> None:
    secret: Any = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    bare = base64.b64encode(secret.sign(BUNDLE.encode())).decode()
    with pytest.raises(RefusedError, match="not genuine"):
        trust.require(BUNDLE, [changed(key.sign(BUNDLE), signature=bare)])


@pytest.mark.parametrize("position", [0, 31, 32, 63])
def test_a_changed_bit_is_refused(key: model.PrivateKey, trust: model.Trust, position: int) -> None:
    raw = bytearray(base64.b64decode(key.sign(BUNDLE).signature))
    raw[position] ^= 1
    with pytest.raises(RefusedError, match="not genuine"):
        trust.require(BUNDLE, [changed(key.sign(BUNDLE), signature=base64.b64encode(raw).decode())])


@pytest.mark.parametrize("damage", ["", "A", "====", "é", "\x00", "{short}", "{long}", "{bent}"])
def test_a_truncated_or_bent_signature_is_refused(key: model.PrivateKey, trust: model.Trust, damage: str) -> None:
    good = key.sign(BUNDLE)
    raw = base64.b64decode(good.signature)
    short, long = base64.b64encode(raw[:63]).decode(), base64.b64encode(raw + b"x").decode()
    text = damage.format(short=short, long=long, bent=good.signature + "\n")
    with pytest.raises(RefusedError):
        trust.require(BUNDLE, [changed(good, signature=text)])


def test_with_two_keys_either_is_enough_while_they_are_exchanged(key: model.PrivateKey, tmp_path: Path) -> None:
    fresh = make(tmp_path, "fresh")
    both = model.Trust([key.public, fresh.public])
    assert both.require(BUNDLE, [key.sign(BUNDLE)]) == key.public
    assert both.require(BUNDLE, [fresh.sign(BUNDLE)]) == fresh.public
    assert both.signers(BUNDLE, [fresh.sign(BUNDLE), key.sign(BUNDLE)]) == (key.public, fresh.public)
    with pytest.raises(RefusedError, match="which is not trusted"):
        model.Trust([fresh.public]).require(BUNDLE, [key.sign(BUNDLE)])


def test_a_private_key_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        key = make(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert key.public == model.read_trust([str(tmp_path / "key.pub")]).keys[0]


def test_keys_are_never_overwritten_and_come_in_pairs(tmp_path: Path) -> None:
    make(tmp_path)
    secret = (tmp_path / "key.pem").read_bytes()
    with pytest.raises(InputError, match="exists already"):
        model.make_keys(tmp_path / "key.pem", tmp_path / "new.pub")
    with pytest.raises(InputError, match="exists already"):
        model.make_keys(tmp_path / "new.pem", tmp_path / "key.pub")
    with pytest.raises(InputError, match="exists already"):
        model.make_keys(tmp_path / "same", tmp_path / "same")
    with pytest.raises(InputError, match="cannot be written"):
        model.make_keys(tmp_path / "nowhere" / "key.pem", tmp_path / "new.pub")
    assert (tmp_path / "key.pem").read_bytes() == secret
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key.pem", "key.pub"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610])
def test_a_private_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    make(tmp_path)
    path = tmp_path / "key.pem"
    path.chmod(mode)
    with pytest.raises(InputError, match=f"its mode is {mode:04o}") as refused:
        model.read_private_key(path)
    assert "chmod 600" in refused.value.hint
    path.chmod(0o400)
    model.read_private_key(path)


def private_pem(key: Any, password: bytes | None = None) -> bytes:
    forms = serialization
    secrecy: Any = forms.NoEncryption() if password is None else forms.BestAvailableEncryption(password)
    data: bytes = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, secrecy)
    return data


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a private ed25519 key"),
        (b"\x00" * 32, "not a private ed25519 key"),
        (private_pem(ec.generate_private_key(ec.SECP256R1())), "not a private ed25519 key"),
        (private_pem(ed25519.Ed25519PrivateKey.generate(), b"secret"), "encrypted"),
        (b"x" * 100_000, "not a small plain file"),
    ],
)
def test_what_is_no_private_key_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(InputError, match=says):
        model.read_private_key(path)


def test_a_pipe_or_a_folder_is_no_key(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError):
            model.read_private_key(path)


def test_public_keys_are_read_from_text_and_from_files(key: model.PrivateKey, tmp_path: Path) -> None:
    (tmp_path / "line").write_text(key.public.text + "\n")
    entries = [key.public.text, "line", "key.pub", str(tmp_path / "key.pub")]
    assert set(model.read_trust(entries, folder=tmp_path).keys) == {key.public}


@pytest.mark.parametrize(
    "entry",
    ["", " ", "nothing", "A" * 43 + "=x", "é", "\x00", "x" * 5000, base64.b64encode(b"x" * 31).decode(), "key.pem"],
)
def test_what_is_no_public_key_is_refused(key: model.PrivateKey, tmp_path: Path, entry: str) -> None:
    with pytest.raises(InputError, match=r"palio.toml \[serve\] trust: .* no public ed25519 key"):
        model.read_trust([entry], folder=tmp_path, where="palio.toml [serve] trust")


def test_a_private_key_given_as_text_is_not_repeated(key: model.PrivateKey, tmp_path: Path) -> None:
    secret = (tmp_path / "key.pem").read_text()
    with pytest.raises(InputError) as refused:
        model.read_trust([secret], folder=tmp_path)
    assert secret.splitlines()[1] not in str(refused.value)


def test_trust_in_nobody_is_no_trust() -> None:
    with pytest.raises(InputError, match="no key"):
        model.read_trust([])


def test_the_ledger_keeps_each_signature_once(store: Any, key: model.PrivateKey, tmp_path: Path) -> None:
    fresh = make(tmp_path, "fresh")
    assert model.add_signature(store, key.sign(BUNDLE))
    assert not model.add_signature(store, key.sign(BUNDLE))
    assert model.add_signature(store, fresh.sign(BUNDLE))
    assert model.add_signature(store, key.sign(OTHER))
    assert signatures_of(store, BUNDLE) == (key.sign(BUNDLE), fresh.sign(BUNDLE))
    store.ledger.verify()


def test_a_ledger_line_that_is_no_signature_counts_for_nothing(store: Any, key: model.PrivateKey) -> None:
    for payload in ({}, {"signature": 7}, {"signature": {"bundle": BUNDLE}}, {"signature": key.sign(OTHER)}):
        store.ledger.append("model.sign", BUNDLE, "A line.", payload=payload)
    store.ledger.append("model.signal", BUNDLE, "A line.", payload={"signature": key.sign(BUNDLE)})
    assert signatures_of(store, BUNDLE) == ()


def test_a_folder_holds_several_signatures(key: model.PrivateKey, tmp_path: Path) -> None:
    signatures = (key.sign(BUNDLE), make(tmp_path, "fresh").sign(BUNDLE))
    assert model.read_signatures(tmp_path) == ()
    model.write_signatures(tmp_path, signatures)
    assert model.read_signatures(tmp_path) == signatures


@pytest.mark.parametrize("damage", ["truncate", "empty", "list", "number", "key", "many", "huge", "folder", "deep"])
def test_a_damaged_file_of_signatures_is_refused(key: model.PrivateKey, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "signature.json"
    signature = key.sign(BUNDLE)
    model.write_signatures(tmp_path, [signature])
    good = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        content = {
            "truncate": good[:-3],
            "empty": b"",
            "list": b"[]",
            "number": b'{"signatures": 1}',
            "key": good.replace(key.public.id.encode(), b"../../x"),
            "many": msgspec.json.encode({"signatures": [signature] * 101}),
            "huge": b" " * 100_000 + good,
            "deep": b"[" * 60_000,
        }[damage]
        path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"signature\.json"):
        model.read_signatures(tmp_path)


def test_without_the_extra_the_error_names_it(key: model.PrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(UnavailableError, match="`sign` extra") as missing:
        model.read_trust([key.public.text])
    assert 'pip install "palio[sign]"' in missing.value.hint


def test_a_server_that_is_not_asked_does_not_import_it() -> None:
    script = (
        "import sys; from palio import model, serve; model.Trust, model.load; serve.create_app, serve.StoreProvider;"
    )
    script += "print([name for name in sys.modules if name.startswith(('cryptography', 'opentelemetry'))])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
