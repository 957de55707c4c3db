"""Servers that are real: certificates of an own authority, TCP servers that answer what a test says."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class Authority:
    """A certificate authority of our own, and what it has issued."""

    def __init__(self, folder: Path) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        self.folder = folder
        self.file = folder / "authority.pem"
        self._x509, self._hashes, self._serialization, self._ec = x509, hashes, serialization, ec
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Palio test authority")])
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        built = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        certificate = built.add_extension(usage, True).sign(self._key, hashes.SHA256())
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: object, key: object) -> object:
        now = dt.datetime.now(dt.UTC)
        x509 = self._x509
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
        )

    def context(self, *names: str) -> ssl.SSLContext:
        """Make the context of a server whose certificate is for these names or addresses."""
        x509, ec, serialization = self._x509, self._ec, self._serialization
        key = ec.generate_private_key(ec.SECP256R1())
        kinds = [
            x509.IPAddress(ipaddress.ip_address(one)) if one[0].isdigit() or ":" in one else x509.DNSName(one)
            for one in names
        ]
        built = self._builder(x509.Name([]), key).add_extension(x509.SubjectAlternativeName(kinds), True)
        certificate = built.sign(self._key, self._hashes.SHA256())
        file = self.folder / f"{names[0].replace(':', '-')}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    pytest.importorskip("cryptography", reason="the sign extra is not installed")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The authority, trusted by this process."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


Answer = Callable[[socket.socket, int], None]


class Talker:
    """A TCP server on loopback that lets a function answer each connection, with its number, and keeps what it got."""

    def __init__(self, answer: Answer | bytes, *, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self.requests: list[bytes] = []
        self.server_names: list[str | None] = []
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        if tls is not None:
            tls.sni_callback = lambda _, name, __: self.server_names.append(name)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._talk, args=(connection, number), daemon=True)
            self._threads.append(thread)
            thread.start()
            number += 1

    def _talk(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(20)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            if isinstance(self._answer, bytes):
                self.requests.append(read_request(connection))
                connection.sendall(self._answer)
            else:
                self._answer(connection, number)
        except OSError:
            pass  # the other side is gone, which some tests want
        finally:
            connection.close()

    def close(self) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)


def read_request(connection: socket.socket) -> bytes:
    """Read one HTTP request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def talk() -> Iterator[Callable[..., Talker]]:
    """Start servers that talk; they end with the test."""
    started: list[Talker] = []

    def start(answer: Answer | bytes, *, tls: ssl.SSLContext | None = None) -> Talker:
        started.append(Talker(answer, tls=tls))
        return started[-1]

    yield start
    for one in started:
        one.close()
