"""Start a throw-away PostgreSQL server for tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path

_UNPRIVILEGED = ("postgres", "nobody")  # PostgreSQL refuses to run as root


class Server:
    """A running server. `database` lends an empty database on it."""

    def __init__(self, socket_folder: Path) -> None:
        self._query = urllib.parse.urlencode({"host": str(socket_folder)})
        self._idle: list[str] = []

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Lend an empty database: its URL. Emptied afterwards for the next, as making one costs 300 files."""
        import psycopg

        if not self._idle:
            name = f"palio_{uuid.uuid4().hex[:12]}"
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"'.encode())
            self._idle.append(self.url(name))
        url = self._idle.pop()
        yield url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        self._idle.append(url)

    def url(self, database: str) -> str:
        """Return the URL of a database on this server."""
        return f"postgresql://palio@/{database}?{self._query}"


def find_binaries() -> Path | None:
    """Return the folder with the newest server's programs, or None if PostgreSQL is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(folders, key=lambda path: [int(p) for p in path.parts[4].split(".") if p.isdigit()], default=None)
    return newest.parent if newest else None


@contextlib.contextmanager
def throwaway_server(binaries: Path) -> Iterator[Server]:
    """Run a server on a Unix socket in a new folder; stop it and remove the folder at the end.

    It does not sync to disk, as its data die with it. Started by root, it runs as an unprivileged user.
    """
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="palio-pg-"))  # short: a socket's path may have 107 characters
    data = folder / "data"
    try:
        if user is not None:
            os.chown(folder, user, -1)
        _run([binaries / "initdb", "-D", data, "-U", "palio", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], user)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=100"
        _run([binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], user)
        try:
            yield Server(folder)
        finally:
            _run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> int | None:
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise RuntimeError(f"PostgreSQL does not run as root, and there is none of the users {', '.join(_UNPRIVILEGED)}")


def _run(command: list[Path | str], user: int | None) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    with tempfile.TemporaryFile() as output:  # not a pipe: the server would inherit it and keep it open
        done = subprocess.run(command, user=user, cwd="/", env=environment, stdout=output, stderr=output, check=False)
        if done.returncode != 0:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed: {output.read().decode(errors='replace')[-2000:]}")
