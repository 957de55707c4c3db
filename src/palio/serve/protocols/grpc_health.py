"""Answer `grpc.health.v1`.

Source: GRPC Health Checking Protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from palio.serve.protocols.grpc_bridge import Bridge
from palio.serve.protocols.grpc_messages import SERVICE
from palio.serve.protocols.wire import WireError


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # grpc has no types
    """`grpc.health.v1`: as ready as `/v2/health/ready` says, for the server and for the protocol's service."""

    def __init__(self, bridge: Bridge, *, poll_s: float = 0.5) -> None:
        self._bridge = bridge
        self._poll_s = poll_s
        self.is_closed = False

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the protocol
        """Say the status of now."""
        status = await self._status(request.service)
        if status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            context.set_details("there is no such service")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ARG002, N802
        """Say the status of now, and each that follows."""
        last = None
        while not self.is_closed:
            status = await self._status(request.service)
            if status != last:
                last = status
                yield health_pb2.HealthCheckResponse(status=status)
            await asyncio.sleep(self._poll_s)

    async def _status(self, service: str) -> Any:
        known = health_pb2.HealthCheckResponse
        if service not in ("", SERVICE):
            return known.SERVICE_UNKNOWN
        try:
            reply = await self._bridge("GET", "/v2/health/ready")
        except WireError:
            return known.NOT_SERVING
        return known.SERVING if reply.status == 200 else known.NOT_SERVING
