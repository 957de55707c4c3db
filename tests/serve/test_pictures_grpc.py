"""Pictures over gRPC, by NVIDIA's unmodified client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from palio import serve
from tests.serve.conftest import Switch
from tests.serve.picture_model import SIZE, as_text, picture, picture_bundle

grpc = pytest.importorskip("grpc")
client = pytest.importorskip("tritonclient.grpc")

from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    door = serve.GrpcListener(max_body_bytes=2**24)
    provider: Any = Switch({1: picture_bundle()})
    with serve.background(serve.create_app(provider, grpc=door)):
        yield f"127.0.0.1:{door.port}"


@pytest.fixture
def triton(address: str) -> Iterator[Any]:
    with client.InferenceServerClient(address) as triton:
        yield triton


def tensor(values: Any, datatype: str) -> Any:
    made = client.InferInput("photo", list(values.shape), datatype)
    made.set_data_from_numpy(values)
    return made


def test_files_base64_and_pixels_are_taken(triton: Any) -> None:
    files = np.array([[picture(230)], [picture(20)]], object)
    texts = np.array([[as_text(picture(230)).encode()], [as_text(picture(20)).encode()]], object)
    pixels = np.stack([np.full((SIZE, SIZE, 3), value, np.uint8) for value in (230, 20)])
    for values, datatype in ((files, "BYTES"), (texts, "BYTES"), (pixels, "UINT8")):
        answer = triton.infer("bank", [tensor(values, datatype)])
        assert answer.as_numpy("prediction").tolist() == [b"light", b"dark"]


def test_typed_contents_are_taken(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = service_pb2.ModelInferRequest(model_name="bank")
        made = request.inputs.add(name="photo", datatype="BYTES", shape=[1, 1])
        made.contents.bytes_contents.append(picture(230))
        assert stub.ModelInfer(request).outputs[0].name == "prediction"


def test_what_is_no_picture_is_an_invalid_argument_without_an_echo(triton: Any) -> None:
    bad = np.array([[picture()], [b"secret, no picture"]], object)
    with pytest.raises(InferenceServerException, match="row 1: `photo`") as refused:
        triton.infer("bank", [tensor(bad, "BYTES")])
    assert refused.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert "secret" not in refused.value.message()
