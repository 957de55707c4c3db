"""Send an alert by e-mail: plain text, encrypted where the server offers it, within a time limit.

Source: RFC 5321, RFC 3207 (STARTTLS), RFC 3834 (Auto-Submitted).
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from palio.core.errors import ConfigError, RefusedError, UnavailableError
from palio.monitor.alerts.connecting import Deadline, close, connect, resolve
from palio.monitor.alerts.delivery import Sent, attempt
from palio.monitor.alerts.payload import Payload, plain, tame

LIMIT_S = 20.0
BACKOFF_S = (2.0,)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_HINT = "write it as smtp://host, smtp://user@host:587 or smtps://user@host"


class Server(NamedTuple):
    """A mail server."""

    scheme: str
    host: str
    port: int
    user: str


class Mail:
    """Addresses that get alerts, and the server that takes them."""

    name = "email"

    def __init__(
        self,
        server: str,
        *,
        to: Sequence[str],
        sender: str = "",
        password: str = "",
        limit_s: float = LIMIT_S,
        backoff_s: Sequence[float] = BACKOFF_S,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = read_server(server)
        self._to = [_check_address(one, "email") for one in to]
        self._sender = _check_address(sender or self.server.user, "sender")
        self._password = password
        self._limit_s = limit_s
        self._backoff_s = backoff_s
        self._wait = wait
        if self.server.user and not password:
            raise ConfigError(
                "palio.toml [alert]: `smtp` names a user, and there is no password",
                hint="set PALIO_ALERT_PASSWORD in the environment",
            )

    @property
    def shown(self) -> str:
        """Where it sends to, for people; without secrets."""
        return f"{', '.join(self._to)} by {self.server.scheme}://{self.server.host}:{self.server.port}"

    def send(self, payload: Payload) -> Sent:
        """Send, and again after a while if the server is not there or asks to come back."""
        message = write(payload, sender=self._sender, to=self._to)
        return attempt(lambda: self._send(message), backoff_s=self._backoff_s, wait=self._wait)

    def _send(self, message: EmailMessage) -> str:
        deadline = Deadline(self._limit_s)
        session = _Session(self.server, deadline)
        with _translated(self.server.host, deadline), _ended_by(session, deadline):
            session.connect_now()
            if self._password:
                session.log_in(self.server.user, self._password)
            refused = session.send_message(message, from_addr=self._sender, to_addrs=self._to)
            with contextlib.suppress(OSError):
                session.quit()
        n_taken = len(self._to) - len(refused)
        return f"taken for {n_taken} of {len(self._to)} addresses"


def write(payload: Payload, *, sender: str, to: Sequence[str]) -> EmailMessage:
    """Write the e-mail; the same message has the same Message-ID, so that mail programs can leave out a second one."""
    domain = sender.rpartition("@")[2]
    mail = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))  # every server can carry that
    mail["Subject"] = plain(payload.title, 200)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = format_datetime(payload.at)
    mail["Message-ID"] = f"<{payload.id}@{domain}>"
    mail["References"] = f"<alert-{payload.alert}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    where = f"Model {tame(payload.model)}, version {payload.version}. Alert {payload.alert}."
    mail.set_content(f"{payload.text}\n\n{where}\n")
    return mail


def read_server(url: str) -> Server:
    """Take the URL of a mail server apart; errors do not repeat it.

    Raises:
        ConfigError: it is none, or it holds a password.

    Example:
        >>> read_server("smtps://ann@mail.example.com")
        Server(scheme='smtps', host='mail.example.com', port=465, user='ann')
    """
    where = "palio.toml [alert]: `smtp`"
    if not url:
        raise ConfigError(f"{where}: there are addresses in `email`, and no mail server", hint=_HINT)
    try:
        parts = urlsplit(url)
        host, port, user = parts.hostname or "", parts.port, unquote(parts.username or "")
    except ValueError:
        raise ConfigError(f"{where}: got something that is no URL", hint=_HINT) from None
    if parts.password is not None:
        raise ConfigError(f"{where}: it holds a password", hint="set PALIO_ALERT_PASSWORD in the environment instead")
    odd = not url.isascii() or not url.isprintable() or not user.isprintable() or " " in url
    if parts.scheme not in ("smtp", "smtps") or not host or odd or parts.path.strip("/") or port == 0:
        raise ConfigError(f"{where}: got something that is no mail server", hint=_HINT)
    usual = 465 if parts.scheme == "smtps" else 587 if user else 25
    return Server(parts.scheme, host, port or usual, user)


def _check_address(address: str, key: str) -> str:
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        raise ConfigError(
            f"palio.toml [alert]: `{key}`: got {plain(address, 60)!r}, allowed is name@domain", hint="correct it"
        )
    return address


class _Session(smtplib.SMTP):
    """A session that connects within a deadline, and encrypts before anything of value is said."""

    def __init__(self, server: Server, deadline: Deadline) -> None:
        super().__init__(local_hostname=_own_name(), timeout=deadline.limit_s)
        self._server = server
        self._deadline = deadline
        self._host = server.host  # the name that the certificate must be for
        self.is_encrypted = server.scheme == "smtps"

    def connect_now(self) -> None:
        """Connect, and encrypt."""
        code, text = self.connect(self._server.host, self._server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)
        self.ehlo_or_helo_if_needed()
        if not self.is_encrypted and self.has_extn("starttls"):
            self.starttls(context=ssl.create_default_context())
            self.is_encrypted = True
            self.ehlo_or_helo_if_needed()

    def log_in(self, user: str, password: str) -> None:
        """Log in, but never send the password in the clear to another machine."""
        peer = "" if self.sock is None else str(self.sock.getpeername()[0])
        if not self.is_encrypted and peer not in ("127.0.0.1", "::1"):
            raise RefusedError(f"{self._server.host}: offers no encryption, so the password is not sent")
        self.login(user, password)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        connection = connect(resolve(host, port, self._deadline), port, self._deadline)
        try:
            connection.settimeout(min(timeout, self._deadline.left()))
            if self._server.scheme == "smtps":
                connection = ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        except BaseException:
            close(connection)
            raise
        return connection


def _own_name() -> str:
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9.-]{1,255}", name) else "[127.0.0.1]"


@contextlib.contextmanager
def _ended_by(session: smtplib.SMTP, deadline: Deadline) -> Iterator[None]:
    """Cut the connection when time is over: a server that sends a byte now and then outlives every read's limit."""

    def cut() -> None:
        if session.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(session.sock, socket.SHUT_RDWR)

    timer = threading.Timer(deadline.left(), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        session.close()


@contextlib.contextmanager
def _translated(host: str, deadline: Deadline) -> Iterator[None]:
    """Say in our words what went wrong; never in the server's."""
    try:
        yield
    except (OSError, ValueError) as error:  # all errors of a mail conversation are OSErrors
        deadline.left()  # half an answer of a connection that was cut means nothing: time is over
        raise _in_our_words(host, error) from None


def _in_our_words(host: str, error: OSError | ValueError) -> RefusedError | UnavailableError:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _answered(f"{host}: no address was taken", {int(code) for code, _ in error.recipients.values()})
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return RefusedError(f"{host}: the login was refused ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPResponseException):
        return _answered(f"{host}: the mail was refused", {error.smtp_code})
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return RefusedError(f"{host}: the server cannot do what is needed, such as taking a login")
    if isinstance(error, ssl.SSLCertVerificationError):
        return RefusedError(f"{host}: the certificate is not valid: {error.verify_message}")
    return UnavailableError(f"{host}: the connection broke: {type(error).__name__}")


def _answered(what: str, codes: Collection[int]) -> RefusedError | UnavailableError:
    text = f"{what} ({', '.join(map(str, sorted(codes)))})"
    return RefusedError(text) if any(code >= 500 for code in codes) else UnavailableError(text)
