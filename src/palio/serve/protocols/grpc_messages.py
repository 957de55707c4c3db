"""The messages of the Open Inference Protocol over gRPC, in a descriptor pool of our own.

A private pool, because a client library in the same process may have registered the same names in the default one.

Source: Open Inference Protocol V2, gRPC (`inference_grpc.md`), and the extensions of the Triton Inference Server that
we answer; names and field numbers are the protocol's.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"

# message → its fields as `number name type`; `*` is repeated, `map` is string → InferParameter
_MESSAGES = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "1 live bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "1 ready bool",
    "ModelReadyRequest": "1 name string, 2 version string",
    "ModelReadyResponse": "1 ready bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "1 name string, 2 version string, 3 extensions string*",
    "ModelMetadataRequest": "1 name string, 2 version string",
    "ModelMetadataResponse": """1 name string, 2 versions string*, 3 platform string,
        4 inputs ModelMetadataResponse.TensorMetadata*, 5 outputs ModelMetadataResponse.TensorMetadata*""",
    "ModelMetadataResponse.TensorMetadata": "1 name string, 2 datatype string, 3 shape int64*",
    "InferParameter": """1 bool_param bool, 2 int64_param int64, 3 string_param string, 4 double_param double,
        5 uint64_param uint64""",
    "InferTensorContents": """1 bool_contents bool*, 2 int_contents int32*, 3 int64_contents int64*,
        4 uint_contents uint32*, 5 uint64_contents uint64*, 6 fp32_contents float*, 7 fp64_contents double*,
        8 bytes_contents bytes*""",
    "ModelInferRequest": """1 model_name string, 2 model_version string, 3 id string, 4 parameters map,
        5 inputs ModelInferRequest.InferInputTensor*, 6 outputs ModelInferRequest.InferRequestedOutputTensor*,
        7 raw_input_contents bytes*""",
    "ModelInferRequest.InferInputTensor": """1 name string, 2 datatype string, 3 shape int64*, 4 parameters map,
        5 contents InferTensorContents""",
    "ModelInferRequest.InferRequestedOutputTensor": "1 name string, 2 parameters map",
    "ModelInferResponse": """1 model_name string, 2 model_version string, 3 id string, 4 parameters map,
        5 outputs ModelInferResponse.InferOutputTensor*, 6 raw_output_contents bytes*""",
    "ModelInferResponse.InferOutputTensor": """1 name string, 2 datatype string, 3 shape int64*, 4 parameters map,
        5 contents InferTensorContents""",
    "ModelStreamInferResponse": "1 error_message string, 2 infer_response ModelInferResponse",
    "ModelConfigRequest": "1 name string, 2 version string",
    "ModelConfigResponse": "1 config ModelConfig",
    "ModelConfig": """1 name string, 2 platform string, 4 max_batch_size int32, 5 input ModelInput*,
        6 output ModelOutput*, 17 backend string""",
    "ModelInput": "1 name string, 2 data_type DataType, 4 dims int64*",
    "ModelOutput": "1 name string, 2 data_type DataType, 3 dims int64*, 4 label_filename string",
    "ModelStatisticsRequest": "1 name string, 2 version string",
    "ModelStatisticsResponse": "1 model_stats ModelStatistics*",
    "ModelStatistics": """1 name string, 2 version string, 3 last_inference uint64, 4 inference_count uint64,
        5 execution_count uint64, 6 inference_stats InferStatistics, 7 batch_stats InferBatchStatistics*""",
    "InferStatistics": """1 success StatisticDuration, 2 fail StatisticDuration, 3 queue StatisticDuration,
        4 compute_input StatisticDuration, 5 compute_infer StatisticDuration, 6 compute_output StatisticDuration,
        7 cache_hit StatisticDuration, 8 cache_miss StatisticDuration""",
    "InferBatchStatistics": """1 batch_size uint64, 2 compute_input StatisticDuration,
        3 compute_infer StatisticDuration, 4 compute_output StatisticDuration""",
    "StatisticDuration": "1 count uint64, 2 ns uint64",
    "RepositoryIndexRequest": "1 repository_name string, 2 ready bool",
    "RepositoryIndexResponse": "1 models RepositoryIndexResponse.ModelIndex*",
    "RepositoryIndexResponse.ModelIndex": "1 name string, 2 version string, 3 state string, 4 reason string",
}
_DATATYPES = (
    *("INVALID", "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
    *("FP16", "FP32", "FP64", "STRING", "BF16"),
)
METHODS = (
    *("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "ModelStreamInfer"),
    *("ModelConfig", "ModelStatistics", "RepositoryIndex"),
)
_CHOICE = "parameter_choice"
_Field = descriptor_pb2.FieldDescriptorProto


@functools.cache
def message(name: str) -> Any:
    """Return the class of one message.

    Example:
        >>> len(message("ModelReadyRequest")(name="bank").SerializeToString())
        6
    """
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="palio/inference.proto", package=PACKAGE, syntax="proto3")
    built: dict[str, Any] = {}
    for name, fields in _MESSAGES.items():
        outer, _, inner = name.rpartition(".")
        kind = built[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=name)
        built[name] = kind
        for number, field, type_name in _parse(fields):
            _add_field(kind, name, int(number), field, type_name)
    choice = built["InferParameter"]
    choice.oneof_decl.add(name=_CHOICE)
    for field in choice.field:
        field.oneof_index = 0
    datatypes = file.enum_type.add(name="DataType")
    for index, name in enumerate(_DATATYPES):
        datatypes.value.add(name=f"TYPE_{name}", number=index)
    service = file.service.add(name=SERVICE.rpartition(".")[2])
    for name in METHODS:
        stream = name == "ModelStreamInfer"
        service.method.add(
            name=name,
            input_type=f".{PACKAGE}.{'ModelInfer' if stream else name}Request",
            output_type=f".{PACKAGE}.{name}Response",
            client_streaming=stream,
            server_streaming=stream,
        )
    return file


def _parse(fields: str) -> Iterator[tuple[str, str, str]]:
    yield from re.findall(r"(\d+) (\w+) ([\w.]+\*?)", fields)


def _add_field(kind: Any, owner: str, number: int, name: str, type_name: str) -> None:
    field = kind.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if type_name.endswith("*"):
        field.label, type_name = _Field.LABEL_REPEATED, type_name[:-1]
    if type_name == "map":
        entry = kind.nested_type.add(name="ParametersEntry")
        entry.options.map_entry = True
        _add_field(entry, owner, 1, "key", "string")
        _add_field(entry, owner, 2, "value", "InferParameter")
        field.label, type_name = _Field.LABEL_REPEATED, f"{owner}.ParametersEntry"
    scalar = getattr(_Field, f"TYPE_{type_name.upper()}", None)
    if scalar is not None:
        field.type = scalar
        return
    field.type = _Field.TYPE_ENUM if type_name == "DataType" else _Field.TYPE_MESSAGE
    field.type_name = f".{PACKAGE}.{type_name}"


POOL = descriptor_pool.DescriptorPool()
POOL.Add(_file())
