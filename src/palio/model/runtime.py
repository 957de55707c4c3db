"""The one door to ONNX Runtime: it is imported here and nowhere else, with its telemetry off.

Its official builds from 1.29 on start an uploader when they are imported and write a device id under the home folder;
calling its API is too late for that.
"""

from __future__ import annotations

import os
from typing import Any

NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
"""Read by ONNX Runtime when its library is loaded. Our processes inherit it, whatever it was before."""


def onnx_runtime() -> Any:
    """Import ONNX Runtime so that it tells nobody anything and leaves nothing outside of the project.

    Example:
        >>> "CPUExecutionProvider" in onnx_runtime().get_available_providers()
        True

    Source: Privacy.md of ONNX Runtime 1.31, section Disabling Telemetry.
    """
    os.environ[NO_TELEMETRY] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # for who has imported it before us
    return onnxruntime
