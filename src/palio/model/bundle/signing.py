"""Sign a bundle with ed25519, and tell whether a trusted key did.

What is signed is the identity of the bundle: the SHA-256 of the manifest, which names every member by its own. So one
signature of 64 bytes covers every byte. It lies beside the bundle: as a line of the ledger, and in an exported folder.
The package `cryptography` (extra `sign`) is imported by what signs or checks, on first use.

Source: RFC 8032 (ed25519).
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from palio.core.errors import InputError, IntegrityError, RefusedError, need
from palio.core.ids import canonical_json, digest, is_digest, short
from palio.core.records import Signature

if TYPE_CHECKING:
    from palio.store import Store

SIGNATURES = "signature.json"
"""Beside the manifest in an exported folder: `{"signatures": [{"bundle": …, "key": …, "signature": …}]}`."""
KIND = "model.sign"
"""Of the ledger lines that carry a signature."""
MAX_SIGNATURES = 100
"""Of one folder; nobody needs more, and each is work for whoever checks."""
_MAX_BYTES = 1 << 16
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64


@dataclass(frozen=True)
class PublicKey:
    """A key that signatures are checked with."""

    raw: bytes

    @property
    def id(self) -> str:
        """The SHA-256 of its 32 bytes."""
        return digest(self.raw)

    @property
    def text(self) -> str:
        """As `[serve] trust` takes it."""
        return base64.b64encode(self.raw).decode()

    def signed(self, bundle: str, signature: Signature) -> bool:
        """Tell whether this key made `signature`, and of this very bundle."""
        value = _decoded(signature.signature, _SIGNATURE_BYTES)
        if value is None or (signature.bundle, signature.key) != (bundle, self.id):
            return False
        exceptions, ed25519 = _library("exceptions"), _library("hazmat.primitives.asymmetric.ed25519")
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.raw).verify(value, _message(bundle))
        except (exceptions.InvalidSignature, ValueError):
            return False
        return True


class PrivateKey:
    """A key that signs. Whoever has it speaks in its name."""

    def __init__(self, key: Any) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def sign(self, bundle: str) -> Signature:
        """Sign the identity of a bundle; the same key and bundle give the same signature."""
        value = base64.b64encode(self._key.sign(_message(bundle))).decode()
        return Signature(bundle=bundle, key=self.public.id, signature=value)


class Trust:
    """The keys of which one must have signed a bundle. Several, so that keys can be exchanged one after the other."""

    def __init__(self, keys: Sequence[PublicKey]) -> None:
        if not keys:
            raise InputError("trust: no key is named", hint="name a public key, or leave `trust` out")
        _library("exceptions")  # a missing package is told of at the start, not at the first bundle
        self.keys = tuple(keys)

    def signers(self, bundle: str, signatures: Iterable[Signature]) -> tuple[PublicKey, ...]:
        """Return the trusted keys that signed `bundle`."""
        found = tuple(signatures)
        return tuple(key for key in self.keys if any(key.signed(bundle, signature) for signature in found))

    def require(self, bundle: str, signatures: Iterable[Signature]) -> PublicKey:
        """Return a trusted key that signed `bundle`.

        Raises:
            RefusedError: there is none; the message says what was found instead.
        """
        found = tuple(signatures)
        signers = self.signers(bundle, found)
        if signers:
            return signers[0]
        raise RefusedError(
            f"bundle {short(bundle)}: {self.why_not(bundle, found)}",
            hint="sign it with a trusted key: palio model sign BUNDLE --key FILE",
            facts={"bundle": bundle, "keys": [signature.key for signature in found]},
        )

    def why_not(self, bundle: str, signatures: Sequence[Signature]) -> str:
        """Say what was found where no trusted key signed `bundle`."""
        trusted = {key.id for key in self.keys}
        about = [signature for signature in signatures if signature.bundle == bundle]
        if any(signature.key in trusted for signature in about):
            return "a signature in the name of a trusted key is not genuine"
        if about:
            return f"signed by {', '.join(sorted({short(one.key) for one in about})[:5])}, which is not trusted"
        return "its signatures are of another bundle" if signatures else "not signed by a trusted key"


def make_keys(private: Path, public: Path) -> PublicKey:
    """Make a pair of keys and write both as PEM: the private one for its owner alone. Nothing is ever overwritten.

    Raises:
        InputError: a file exists already, or cannot be written.
        UnavailableError: the `sign` extra is not installed.
    """
    ed25519, forms = _library("hazmat.primitives.asymmetric.ed25519"), _library("hazmat.primitives.serialization")
    key = ed25519.Ed25519PrivateKey.generate()
    secret = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    shown = key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    _write_new(Path(private), secret, 0o600)
    try:
        _write_new(Path(public), shown, 0o644)
    except InputError:
        Path(private).unlink()
        raise
    return PublicKey(key.public_key().public_bytes_raw())


def read_private_key(path: Path) -> PrivateKey:
    """Read a private key: ed25519, PEM, not encrypted, readable by its owner alone.

    Raises:
        InputError: there is none, it is something else, or others may read it.
        UnavailableError: the `sign` extra is not installed.
    """
    ed25519, forms = _library("hazmat.primitives.asymmetric.ed25519"), _library("hazmat.primitives.serialization")
    data, mode = _read(Path(path))
    if mode & 0o077:
        raise InputError(
            f"{path}: others may use this private key: its mode is {mode & 0o777:04o}, 0600 or less is allowed",
            hint=f"run chmod 600 {path}, and make a new key if it is not yours alone",
        )
    try:
        key = forms.load_pem_private_key(data, password=None)
    except TypeError:
        raise InputError(f"{path}: the key is encrypted", hint="name a file with a key that is not") from None
    except (ValueError, _library("exceptions").UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise InputError(f"{path}: not a private ed25519 key in PEM", hint="make one with palio model keygen")
    return PrivateKey(key)


def read_trust(entries: Sequence[str], *, folder: Path = Path(), where: str = "trust") -> Trust:
    """Read public keys: each the base64 of its 32 bytes, or a file that holds that or PEM.

    Args:
        entries: One for each key.
        folder: What paths are relative to.
        where: What is read, for errors.

    Raises:
        InputError: an entry is no public key, and no file that holds one.
        UnavailableError: the `sign` extra is not installed.
    """
    return Trust([_public_key(entry, folder, where) for entry in entries])


def add_signature(store: Store, signature: Signature) -> bool:
    """Write a signature into the ledger; False if it is there already. Whether it is genuine, who reads it asks."""
    if signature in signatures_of(store, signature.bundle):
        return False
    text = f"Bundle {short(signature.bundle)} was signed with key {short(signature.key)}."
    store.ledger.append(KIND, signature.bundle, text, payload={"signature": signature})
    return True


def signatures_of(store: Store, bundle: str) -> tuple[Signature, ...]:
    """Return what the ledger holds, oldest first. A line that is no signature of this bundle counts for nothing."""
    found = []
    for event in store.ledger.events(kind=KIND, subject=bundle):
        try:
            signature = msgspec.convert(event.payload.get("signature"), Signature)
        except msgspec.ValidationError:
            continue
        if event.kind == KIND and signature.bundle == bundle and is_digest(signature.key):
            found.append(signature)
    return tuple(found)


def read_signatures(folder: Path) -> tuple[Signature, ...]:
    """Return the signatures in an exported folder; none if there is no `signature.json`.

    Raises:
        IntegrityError: the file is truncated, too large, or something else.
    """
    path = Path(folder) / SIGNATURES
    if not path.exists():
        return ()
    try:
        held = msgspec.json.decode(_read(path)[0], type=dict[str, tuple[Signature, ...]])["signatures"]
    except (InputError, KeyError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        held = None
    if held is None or len(held) > MAX_SIGNATURES or not all(is_digest(signature.key) for signature in held):
        raise IntegrityError(
            f"{SIGNATURES}: not readable as signatures", hint="export the bundle again", facts={"member": SIGNATURES}
        )
    return held


def write_signatures(folder: Path, signatures: Sequence[Signature]) -> None:
    """Write `signature.json` into an exported folder, all or nothing; what was there is replaced.

    Raises:
        InputError: it cannot be written, or holds too many.
    """
    path = Path(folder) / SIGNATURES
    if len(signatures) > MAX_SIGNATURES:
        raise InputError(f"{path}: more than {MAX_SIGNATURES} signatures", hint="remove those of keys no longer used")
    scratch = path.with_name(f".{SIGNATURES}.{os.getpid()}")
    try:
        scratch.write_bytes(canonical_json({"signatures": tuple(signatures)}))
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror}", hint="name a folder you may write") from None


def _message(bundle: str) -> bytes:
    """What is signed: nothing else that is ever signed with the key may begin like this."""
    return f"palio bundle v1\n{bundle}".encode()


def _public_key(entry: str, folder: Path, where: str) -> PublicKey:
    text = entry.strip()
    raw = _decoded(text, _KEY_BYTES)
    if raw is None and os.path.isfile(folder / text):  # noqa: PTH113 - false for what can be no path, too
        data, _ = _read(folder / text)
        raw = _decoded(data.decode("ascii", "replace").strip(), _KEY_BYTES) or _from_pem(data)
    if raw is None:
        shown = "what is given" if "\n" in text else f"`{text[:100]}`"  # several lines may be a private key
        raise InputError(
            f"{where}: {shown} is no public ed25519 key and no file that holds one",
            hint="give the base64 of its 32 bytes, or a file made by palio model keygen --public",
        )
    return PublicKey(raw)


def _from_pem(data: bytes) -> bytes | None:
    ed25519, forms = _library("hazmat.primitives.asymmetric.ed25519"), _library("hazmat.primitives.serialization")
    try:
        key = forms.load_pem_public_key(data)
    except (ValueError, _library("exceptions").UnsupportedAlgorithm):
        return None
    return key.public_bytes_raw() if isinstance(key, ed25519.Ed25519PublicKey) else None


def _decoded(text: str, size: int) -> bytes | None:
    """Read base64 of so many bytes, in its one canonical form; None if it is not that."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size and base64.b64encode(raw).decode() == text else None


def _read(path: Path) -> tuple[bytes, int]:
    """Return the bytes of a small, plain file and its mode, both of the same file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would never open
        with open(handle, "rb") as file:  # noqa: PTH123 - of a handle
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode) or state.st_size > _MAX_BYTES:
                raise InputError(f"{path}: not a small plain file", hint="name the file of a key or of signatures")
            return file.read(_MAX_BYTES), state.st_mode
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", hint="name a file you may read") from None
    except ValueError:
        raise InputError("a path holds a zero character", hint="name a file") from None


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise InputError(f"{path}: exists already; a key is never overwritten", hint="name a new file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}", hint="name a file you may write") from None
    with open(handle, "wb") as file:  # noqa: PTH123 - of a handle
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _library(name: str) -> Any:
    """Import a module of `cryptography`."""
    import importlib

    try:
        return importlib.import_module(f"cryptography.{name}")
    except ImportError as error:
        raise need("sign", error) from None
