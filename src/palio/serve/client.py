"""Ask a server from Python, with the standard library alone; and replay a bundle's golden rows through a real one."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec
import numpy as np

from palio.core.errors import ContractError, InputError, NotFoundError, PalioError, UnavailableError
from palio.core.records import Parity

if TYPE_CHECKING:
    from palio.model import Bundle

ROWS_PER_CALL = 256
_KINDS: dict[int, type[PalioError]] = {404: NotFoundError, 422: ContractError}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says about one record."""

    id: str
    prediction: str | float | None
    version: int
    probabilities: dict[str, float] | None = None
    flags: tuple[str, ...] = ()


class _Answers(msgspec.Struct):
    predictions: list[Answer]


class Client:
    """Ask one server. Keeps its connection; one lock, so that threads may share it.

    Args:
        url: `http://host:port`.
        timeout_s: How long to wait for one answer.

    Example:
        >>> with Client("http://127.0.0.1:9") as client:
        ...     client.predict([{"age": 40}])
        Traceback (most recent call last):
        palio.core.errors.UnavailableError: http://127.0.0.1:9 does not answer
        hint: start a server with palio serve
    """

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError("the address of a server must look like http://host:port", hint="correct the address")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._url = url
        self._connection = kind(parts.hostname, parts.port, timeout=timeout_s)
        self._lock = threading.Lock()

    def predict(self, records: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Predict one record or many; answers come in the same order.

        Raises:
            ContractError: a record breaks the schema; the message names the field.
            InputError: the request is refused for another reason.
            UnavailableError: the server does not answer or has no champion.
        """
        rows = [records] if isinstance(records, Mapping) else list(records)
        body = self.request("POST", "/predict", msgspec.json.encode({"records": rows}))
        return msgspec.json.decode(body, type=_Answers).predictions

    def infer(self, model: str, tensors: Sequence[Mapping[str, Any]], **parameters: Any) -> dict[str, Any]:
        """Send tensors by the Open Inference Protocol V2 (JSON), with its parameters; gives the outputs by name."""
        asked = {"inputs": tensors} | ({"parameters": parameters} if parameters else {})
        body = self.request("POST", f"/v2/models/{quote(model, safe='')}/infer", msgspec.json.encode(asked))
        return {output["name"]: output for output in msgspec.json.decode(body)["outputs"]}

    def request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Send one request and return the body of its answer.

        Raises:
            PalioError: of the kind that fits the status, with the server's own sentence.
        """
        with self._lock:
            try:
                status, answer = self._exchange(method, path, body)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self._connection.close()  # the server had closed an idle connection: once more on a new one
                status, answer = self._try_again(method, path, body)
            except (OSError, http.client.HTTPException):
                raise self._gone() from None
        if status < 400:
            return answer
        try:
            said = msgspec.json.decode(answer)["error"]
        except (msgspec.MsgspecError, KeyError, TypeError):
            said = f"status {status}"
        kind = _KINDS.get(status, UnavailableError if status >= 500 else InputError)
        raise kind(str(said), hint=f"see {self._url}/openapi.json", facts={"status": status})

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            self._connection.request(method, path, body, {"content-type": "application/json"} if body else {})
            response = self._connection.getresponse()
            return response.status, response.read()
        except BaseException:
            self._connection.close()
            raise

    def _try_again(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            return self._exchange(method, path, body)
        except (OSError, http.client.HTTPException):
            raise self._gone() from None

    def _gone(self) -> UnavailableError:
        return UnavailableError(f"{self._url} does not answer", hint="start a server with palio serve")


def replay(bundle: Bundle, *, tolerance: float | None = None) -> Parity:
    """Send the golden rows of a bundle through a real server and compare the answers with those kept in the bundle.

    Starts the server on a free loopback port and talks to it over a socket, by the Open Inference Protocol.

    Returns:
        Path `graph and server`; passed if no label differs and no number by more than `tolerance`, by default that of
        what the graph computes in.
    """
    from palio.model import TOLERANCES, Outputs, compare_outputs
    from palio.serve.app import create_app
    from palio.serve.process import background
    from palio.serve.registry import fixed

    golden = bundle.golden()
    feeds = golden.feeds
    n_rows = len(next(iter(feeds.values())))
    with background(create_app(fixed(bundle, model="replay"))) as url, Client(url) as client:
        all_boxes = {"threshold": 0.0} if golden.outputs.are_boxes else {}  # golden rows hold what is not shown, too
        parts = [_ask(client, feeds, start, **all_boxes) for start in range(0, n_rows, ROWS_PER_CALL)]
    answered = Outputs(
        prediction=np.concatenate([part["prediction"] for part in parts]),
        probabilities=None
        if golden.outputs.probabilities is None
        else np.concatenate([part["probabilities"] for part in parts]),
        are_boxes=golden.outputs.are_boxes,
    )
    tolerance = TOLERANCES[bundle.graph.precision] if tolerance is None else tolerance
    return compare_outputs(answered, golden.outputs, path="graph and server", tolerance=tolerance)


def _ask(client: Client, feeds: Mapping[str, Any], start: int, **parameters: Any) -> dict[str, Any]:
    tensors = []
    for name, values in feeds.items():
        part = values[start : start + ROWS_PER_CALL].reshape(-1)
        data = part.tolist()
        if values.dtype.kind == "f":
            data = [None if value != value else value for value in data]
        datatype = "FP64" if values.dtype.kind == "f" else "BYTES"
        tensors.append({"name": name, "shape": [len(part), 1], "datatype": datatype, "data": data})
    outputs = client.infer("replay", tensors, **parameters)
    return {name: _array(output) for name, output in outputs.items()}


def _array(output: Mapping[str, Any]) -> Any:
    dtype = np.dtype(object) if output["datatype"] == "BYTES" else np.dtype(np.float64)
    return np.array(output["data"], dtype).reshape(output["shape"])
