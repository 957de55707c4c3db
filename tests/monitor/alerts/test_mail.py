from __future__ import annotations

import email
import email.policy
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from palio.core.errors import ConfigError
from palio.monitor import Mail, render
from palio.monitor.alerts.mail import read_server, write
from tests.monitor.alert_worlds import NOW, message
from tests.monitor.conftest import Authority, Talker

smtpd = pytest.importorskip("aiosmtpd.smtp", reason="aiosmtpd is not installed")
controllers = pytest.importorskip("aiosmtpd.controller")

# the server says so of a test that lets a password through without encryption, to see that it does not come
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

PAYLOAD = render(message())
Post = Callable[..., "Office"]


class Office:
    """A real mail server on loopback that keeps what it got."""

    def __init__(
        self,
        *,
        refuse: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        takes_logins: bool = False,
        host: str = "127.0.0.1",
        **facts: Any,
    ) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self._refuse = refuse or {}
        if takes_logins:
            facts |= {"authenticator": self.log_in, "auth_required": True}
        with socket.create_server((host, 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self._controller = controllers.Controller(
            self, hostname=host, port=self.port, ssl_context=tls, ready_timeout=20, **facts
        )
        self._controller.start()

    async def handle_RCPT(  # noqa: N802 - the name that the server calls
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self._refuse:
            return self._refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.raw.append(envelope.content)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    def log_in(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        self.logins.append((data.login, data.password))
        good = (data.login, data.password) == (b"ann@example.com", b"s3cret")
        return smtpd.AuthResult(success=good, handled=False)

    def close(self) -> None:
        self._controller.stop()


@pytest.fixture
def post() -> Iterator[Post]:
    offices: list[Office] = []

    def start(**facts: Any) -> Office:
        offices.append(Office(**facts))
        return offices[-1]

    yield start
    for one in offices:
        one.close()


def mail(url: str, **facts: Any) -> Mail:
    given: dict[str, Any] = {"to": ["bob@example.com"], "sender": "palio@example.com", "limit_s": 10.0}
    return Mail(url, **(given | {"wait": lambda _: None} | facts))


def test_an_alert_is_taken_by_a_mail_server(post: Post) -> None:
    office = post()
    channel = mail(f"smtp://127.0.0.1:{office.port}", to=["bob@example.com", "eve@example.com"])
    assert channel.send(PAYLOAD) == (True, 1, "taken for 2 of 2 addresses")
    (got,) = office.mails
    assert office.recipients == [["bob@example.com", "eve@example.com"]]
    assert got["subject"] == "Act: bank: quality, roc_auc"
    assert got["from"] == "palio@example.com"
    assert got["to"] == "bob@example.com, eve@example.com"
    assert got["message-id"] == "<m1@example.com>"
    assert got["auto-submitted"] == "auto-generated"
    assert got["date"].datetime == NOW
    assert got.get_content_type() == "text/plain"
    assert "roc_auc fell from 0.80 to 0.75." in got.get_content()


HOSTILE = "age\r\nBcc: victim@example.com\r\n\r\n.\r\nMAIL FROM:<x@y>\r\n\x00\x1b[2J<b>&\u2028\u202e\ud800 € 日本"


def test_a_hostile_name_puts_nothing_into_the_headers_or_the_conversation(post: Post) -> None:
    office = post()
    names = dict.fromkeys(("subject", "model", "segment", "consequence"), HOSTILE)
    evil = render(message(reason=HOSTILE + "\r\n.\r\nQUIT\r\n", **names))
    assert mail(f"smtp://127.0.0.1:{office.port}").send(evil).ok
    (got,) = office.mails
    assert office.recipients == [["bob@example.com"]]
    assert set(got.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "References", "Auto-Submitted", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding",
    } | ({"X-Peer", "X-MailFrom", "X-RcptTo"} & set(got.keys()))  # fmt: skip
    assert len(got["subject"]) <= 200 and str(got["subject"]).isprintable()
    text = got.get_content().replace("\r\n", "\n")
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "<b>" not in text and "日本" in text
    assert office.raw[0].isascii()
    head = office.raw[0].partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))


def test_the_same_message_has_the_same_identity_and_the_same_bytes() -> None:
    one, other = (write(render(message()), sender="a@b.c", to=["d@e.f"]) for _ in range(2))
    assert one.as_bytes() == other.as_bytes()


def test_the_conversation_is_encrypted_where_the_server_offers_it(post: Post, trusted: Authority) -> None:
    office = post(tls_context=trusted.context("127.0.0.1"), require_starttls=True)
    assert mail(f"smtp://127.0.0.1:{office.port}").send(PAYLOAD).ok
    assert len(office.mails) == 1


ANN = "ann%40example.com@"
SECRET = {"password": "s3cret", "sender": ""}


def test_a_login_goes_through_an_encrypted_conversation(post: Post, trusted: Authority) -> None:
    tls = trusted.context("127.0.0.1")
    for office, scheme in (
        (post(tls_context=tls, takes_logins=True), "smtp"),
        (post(tls=tls, takes_logins=True, auth_require_tls=False), "smtps"),
    ):
        channel = mail(f"{scheme}://{ANN}127.0.0.1:{office.port}", **SECRET)
        assert channel.send(PAYLOAD) == (True, 1, "taken for 1 of 1 addresses")
        assert office.logins == [(b"ann@example.com", b"s3cret")]
        assert office.mails[0]["from"] == "ann@example.com"  # the user, as no sender is set


def test_a_password_is_never_sent_unencrypted_to_another_machine(post: Post) -> None:
    office = post(takes_logins=True, auth_require_tls=False, host="127.0.0.2")
    sent = mail(f"smtp://{ANN}127.0.0.2:{office.port}", **SECRET).send(PAYLOAD)
    assert sent == (False, 1, "127.0.0.2: offers no encryption, so the password is not sent")
    assert office.logins == [] and office.mails == []


def test_a_wrong_password_is_named_and_not_shown(post: Post, trusted: Authority) -> None:
    office = post(tls=trusted.context("127.0.0.1"), takes_logins=True, auth_require_tls=False)
    channel = mail(f"smtps://{ANN}127.0.0.1:{office.port}", **(SECRET | {"password": "hunter2"}))
    assert channel.send(PAYLOAD) == (False, 1, "127.0.0.1: the login was refused (535)")
    assert "hunter2" not in channel.shown


def test_a_server_that_takes_no_login_is_named(post: Post, trusted: Authority) -> None:
    office = post(tls=trusted.context("127.0.0.1"))
    sent = mail(f"smtps://{ANN}127.0.0.1:{office.port}", **SECRET).send(PAYLOAD)
    assert not sent.ok and "taking a login" in sent.reason


def test_a_certificate_that_is_not_valid_is_refused(post: Post, authority: Authority) -> None:
    for facts in ({"tls_context": authority.context("127.0.0.1")}, {"tls": authority.context("127.0.0.1")}):
        office = post(**facts)
        scheme = "smtps" if "tls" in facts else "smtp"
        sent = mail(f"{scheme}://127.0.0.1:{office.port}").send(PAYLOAD)
        assert not sent.ok and sent.attempts == 1
        assert sent.reason.startswith("127.0.0.1: the certificate is not valid")
        assert office.mails == []


def test_an_address_that_is_refused_does_not_keep_the_others_from_their_mail(post: Post) -> None:
    office = post(refuse={"bob@example.com": "550 who is bob"})
    both = mail(f"smtp://127.0.0.1:{office.port}", to=["bob@example.com", "eve@example.com"])
    assert both.send(PAYLOAD) == (True, 1, "taken for 1 of 2 addresses")
    alone = mail(f"smtp://127.0.0.1:{office.port}").send(PAYLOAD)
    assert alone == (False, 1, "127.0.0.1: no address was taken (550)")


def test_a_server_that_asks_to_come_back_is_asked_again(post: Post) -> None:
    office = post(refuse={"bob@example.com": "451 later"})
    assert mail(f"smtp://127.0.0.1:{office.port}").send(PAYLOAD).attempts == 2


def test_a_server_that_says_no_at_the_door_is_named(talk: Callable[..., Talker]) -> None:
    server = talk(lambda connection, number: connection.sendall(b"554 secret reason\r\n"))
    sent = mail(f"smtp://127.0.0.1:{server.port}").send(PAYLOAD)
    assert sent == (False, 1, "127.0.0.1: the mail was refused (554)")


def test_a_server_that_is_away_is_tried_again(talk: Callable[..., Talker]) -> None:
    server = talk(lambda connection, number: None)
    sent = mail(f"smtp://127.0.0.1:{server.port}").send(PAYLOAD)
    assert sent == (False, 2, "127.0.0.1: the connection broke: SMTPServerDisconnected")


@pytest.mark.parametrize("greeting", [b"220 hello\r\n", b""])
def test_slow_drops_do_not_outlive_the_time_limit(talk: Callable[..., Talker], greeting: bytes) -> None:
    servers: list[Talker] = []

    def drip(connection: socket.socket, number: int) -> None:
        connection.sendall(greeting)
        while not servers[0].over.wait(0.05):
            connection.sendall(b"2")

    servers.append(talk(drip))
    begin = time.monotonic()
    sent = mail(f"smtp://127.0.0.1:{servers[0].port}", limit_s=0.4, backoff_s=()).send(PAYLOAD)
    assert sent == (False, 1, "no answer within 0.4 s")
    assert time.monotonic() - begin < 10


def test_slow_drops_through_encryption_do_not_outlive_the_time_limit(
    talk: Callable[..., Talker], trusted: Authority
) -> None:
    servers: list[Talker] = []

    def drip(connection: socket.socket, number: int) -> None:
        while not servers[0].over.wait(0.05):
            connection.sendall(b"2")

    servers.append(talk(drip, tls=trusted.context("127.0.0.1")))
    sent = mail(f"smtps://127.0.0.1:{servers[0].port}", limit_s=0.6, backoff_s=()).send(PAYLOAD)
    assert sent == (False, 1, "no answer within 0.6 s")


@pytest.mark.parametrize(
    ("url", "facts", "message"),
    [
        ("", {}, "no mail server"),
        ("smtp://", {}, "no mail server"),
        ("http://host", {}, "no mail server"),
        ("smtp://host/path", {}, "no mail server"),
        ("smtp://host:0", {}, "no mail server"),
        ("smtp://host:x", {}, "no URL"),
        ("smtp://ho\r\nst", {}, "no mail server"),
        ("smtp://a%0d%0ab@host", {}, "no mail server"),
        ("smtp://ann:secret@host", {}, "it holds a password"),
        ("smtp://ann@host", {}, "there is no password"),
        ("smtp://host", {"to": ["a@b\r\nBcc: c@d"]}, "`email`"),
        ("smtp://host", {"to": ["a@b, c@d"]}, "`email`"),
        ("smtp://host", {"to": ["Ann <a@b>"]}, "`email`"),
        ("smtp://host", {"to": ["ann"]}, "`email`"),
        ("smtp://host", {"sender": "a@b\n"}, "`sender`"),
        ("smtp://host", {"sender": ""}, "`sender`"),
    ],
)
def test_a_setting_that_is_wrong_is_named(url: str, facts: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        mail(url, **facts)
    assert message in caught.value.message and "secret" not in str(caught.value)


def test_ports_follow_from_what_is_asked_for() -> None:
    assert read_server("smtp://host").port == 25
    assert read_server("smtp://ann@host").port == 587
    assert read_server("smtps://host").port == 465
    assert read_server("smtp://host:2525").port == 2525
