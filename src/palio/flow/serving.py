"""Wire a server to a project, an exported bundle or any ONNX file, and run it; imports no room that trains.

Settings become a provider, caps, a journal and an admin port here; `serve` knows of none but its own objects.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from palio.core import config as settings
from palio.core.errors import ConfigError, InputError, NotFoundError, UnavailableError, need
from palio.core.serving import Policy

if TYPE_CHECKING:
    from palio.core.config import Config
    from palio.model import Trust
    from palio.serve import App, GrpcListener, Provider
    from palio.store import Store

Ready = Callable[[str], None]
Flags = Mapping[str, Any]
"""`"room.key"` → value; None where the command line says nothing."""


def serve_project(folder: Path, flags: Flags, ready: Ready) -> None:
    """Serve the champion of the project in `folder` until told to stop.

    Raises:
        NotFoundError: the project has no champion yet.
        UnavailableError: the `serve` extra (or `grpc`, for a port of its own) is not installed, or a port is taken.
    """
    config = settings.load(folder, flags=flags)
    _run(config, partial(project_app, folder=str(folder), flags=dict(flags)), "project_app", ready)


def serve_onnx(path: Path, flags: Flags, ready: Ready) -> None:
    """Serve one ONNX file, made anywhere, until told to stop.

    Raises:
        NotFoundError: there is no such file.
        IntegrityError: it is no plain, self-contained ONNX model that the protocol can carry.
        UnavailableError: the `serve` extra (or `grpc`, for a port of its own) is not installed, or a port is taken.
    """
    _run(_without_project(flags), partial(onnx_app, path=str(path), flags=dict(flags)), "onnx_app", ready)


def serve_bundle(path: Path, flags: Flags, ready: Ready) -> None:
    """Serve one exported bundle until told to stop.

    Raises:
        IntegrityError: a member of the bundle is not what its hash says.
        UnavailableError: the `serve` extra (or `grpc`, for a port of its own) is not installed, or a port is taken.
    """
    _run(_without_project(flags), partial(bundle_app, path=str(path), flags=dict(flags)), "bundle_app", ready)


@contextmanager
def project_app(*, worker: int, folder: str, flags: dict[str, Any]) -> Iterator[App]:
    """Make the server of a project's champion; the first worker also opens the admin port."""
    serve = _serve()
    from palio import store

    place = Path(folder)
    config = settings.load(place, flags=flags)
    name, rules = config.project.name, Policy(rules=config.serve.rules)
    with ExitStack() as stack:
        opened = stack.enter_context(store.open_store(place, url=config.store.url, blobs=config.store.blobs))
        if opened.promotions.champion(name) is None:
            raise NotFoundError(
                f"model `{name}` has no champion yet",
                hint="run palio run first; if it ended with no, palio log says why",
            )
        layout = store.Layout(place)
        provider = serve.StoreProvider(opened, name, rules, device=config.limits.device, trust=_trust(config, place))
        log = layout.predictions(config.log.dir)
        keeps_log = config.log.durability != "off"
        if opened.is_read_only and keeps_log and not config.log.dir:
            raise UnavailableError(
                f"{layout.root}: it can only be read here, so the prediction log cannot be kept in it",
                hint='name another folder with --log, keep none ([log] durability = "off"), or serve an exported '
                "bundle with --bundle",
            )
        quotas = _quotas(config, log if opened.is_read_only else layout.root, keeps_log or not opened.is_read_only)
        app = _app(config, provider, model=name, log=log, quotas=quotas)
        if config.serve.admin_port and worker == 0:
            stack.enter_context(_admin(config, opened, app, rules))
        yield app


@contextmanager
def onnx_app(*, worker: int, path: str, flags: dict[str, Any]) -> Iterator[App]:  # noqa: ARG001 - all workers are alike
    """Make the server of one ONNX file."""
    config = _without_project(flags)
    if config.serve.trust:
        raise InputError(
            "--onnx: this server takes only signed bundles, and a bare ONNX file cannot be signed",
            hint="serve an exported bundle with --bundle, or leave `trust` out",
        )
    provider = _serve().any_onnx(Path(path), device=config.limits.device)
    yield _app(config, provider, model=Path(path).stem, log=_log_of(config))


@contextmanager
def bundle_app(*, worker: int, path: str, flags: dict[str, Any]) -> Iterator[App]:  # noqa: ARG001 - as above
    """Make the server of one exported bundle."""
    serve = _serve()
    from palio import model

    config = _without_project(flags)
    bundle = model.open_folder(Path(path), device=config.limits.device, trust=_trust(config, Path()))
    yield _app(config, serve.fixed(bundle), model=bundle.manifest.task.target, log=_log_of(config))


def _quotas(config: Config, folder: Path, is_writable: bool) -> Any:
    """Share the counts of quotas between the workers; one worker that has no place for them keeps them in memory.

    Raises:
        UnavailableError: several workers have no place to share them in.
    """
    if is_writable:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _serve().SharedQuotas(folder / "quotas")
        except OSError as error:
            raise UnavailableError(
                f"{folder}: {error.strerror or error}", hint="make it writable, or name another folder with --log"
            ) from None
    if config.serve.workers > 1:
        raise UnavailableError(
            "several workers share their quotas in a file, and there is no folder that it could lie in",
            hint="name a folder with --log, or serve with --workers 1",
        )
    return None


def _run(config: Config, make: Callable[..., Any], factory: str, ready: Ready) -> None:
    """Serve from this process, or from several workers."""
    serve, table = _serve(), config.serve
    ports = [number for number in (table.port, table.grpc_port, table.admin_port) if number]
    if len(set(ports)) < len(ports):  # workers share ports, so that nothing else would notice
        raise ConfigError(
            "[serve]: `port`, `grpc_port` and `admin_port` must be three different ones",
            hint="choose others with --port, --grpc-port and --admin-port; 0 opens no port for gRPC or admin",
        )
    limits = serve.ConnectionLimits(
        max_connections=table.max_connections,
        head_timeout_s=table.head_timeout_s,
        max_message_bytes=2 * int(table.max_body_mb * 2**20) + 2**20,
    )
    if table.workers == 1:
        with make(worker=0) as app:
            serve.run(app, host=table.host, port=table.port, ready=ready, limits=limits)
        return
    order = serve.Order(factory=f"{__name__}:{factory}", options=make.keywords)  # type: ignore[attr-defined]
    serve.run_workers(order, table.workers, host=table.host, port=table.port, ready=ready, limits=limits)


def _app(config: Config, provider: Provider, *, model: str, log: Path | None, quotas: Any = None) -> App:
    serve, table = _serve(), config.serve
    from palio import store

    caps = serve.Caps(
        max_body_bytes=int(table.max_body_mb * 2**20), max_rows=table.max_rows, absent_columns=table.absent_columns
    )
    journal = feedback = None
    if log is not None and config.log.durability != "off":
        salt = config.log.salt or store.salt_of(log)
        journal = serve.Journal(log, model, msgspec.structs.replace(config.log, salt=salt))
        redaction = store.Redaction(empty=config.log.redact, hashed=config.log.hash, salt=salt)
        feedback = store.FeedbackLog(log, model, redaction=redaction)
    app: App = serve.create_app(
        provider,
        caps=caps,
        limits=serve.AdmissionLimits(max_in_flight=table.max_in_flight, max_held_bytes=int(table.max_held_mb * 2**20)),
        quotas=quotas,
        journal=journal,
        feedback=feedback,
        grpc=_grpc(config, caps.max_body_bytes),
        origins=serve.Origins(table.origins) if table.origins else None,
        zone=config.log.zone,
    )
    return app


@contextmanager
def _admin(config: Config, opened: Store, app: App, rules: Policy) -> Iterator[str]:
    """Open the admin port beside the server."""
    serve, table, name = _serve(), config.serve, config.project.name
    from palio import renew

    control = renew.RolloutControl(opened, name)
    admin = serve.create_admin(opened, name, server=app, rollouts=control, defaults=rules, hosts=(table.admin_host,))
    with serve.beside(admin, host=table.admin_host, port=table.admin_port) as url:
        yield url


def _grpc(config: Config, max_body_bytes: int) -> GrpcListener | None:
    table = config.serve
    if not table.grpc_port:
        return None
    try:
        from palio.serve import GrpcListener
    except ImportError as error:
        raise need("grpc", error) from None
    return GrpcListener(
        host=table.host, port=table.grpc_port, max_body_bytes=max_body_bytes, reuse_port=table.workers > 1
    )


def _trust(config: Config, folder: Path) -> Trust | None:
    """Read the keys that bundles must be signed with; None takes any bundle."""
    if not config.serve.trust:
        return None
    from palio import model

    return model.read_trust(config.serve.trust, folder=folder, where=f"{settings.FILE_NAME} [serve] trust")


def _without_project(flags: Flags) -> Config:
    """Return settings without a project: the defaults, the environment and the command line."""
    return settings.parse({}, env=os.environ, flags=flags)


def _log_of(config: Config) -> Path | None:
    """Without a project nothing is logged unless a folder is named."""
    return Path(config.log.dir) if config.log.dir else None


def _serve() -> Any:
    try:
        from palio import serve
    except ImportError as error:
        raise need("serve", error) from None
    return serve
