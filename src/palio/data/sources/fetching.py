"""Fetch what lies behind a URL, by whatever fsspec has a driver for; credentials stay out of names and errors."""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import fsspec

from palio.core.errors import InputError, NotFoundError, UnavailableError, did_you_mean
from palio.data.sources.content import Content

_NEEDED = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "smb": "smbprotocol",
}
"""Packages that bring a driver."""


def fetched(url: str) -> Content:
    """Copy what the URL names to a temporary file, which goes with the content that is returned.

    Raises:
        InputError: no such protocol, or the URL names a folder.
        NotFoundError: nothing is there.
        UnavailableError: the driver is not installed, or the other side does not answer or refuses.
    """
    scheme = url.partition("://")[0].lower().rpartition("::")[2]
    name = shown(url)
    copy = tempfile.NamedTemporaryFile(delete=False)  # noqa: SIM115 — lives as long as the content
    try:
        try:
            with copy, fsspec.open(url, "rb") as stream:
                shutil.copyfileobj(stream, copy, 1 << 20)
        except ImportError as error:
            package = _NEEDED.get(scheme) or _package(str(error)) or (error.name or scheme)
            raise UnavailableError(
                f"{name}: reading `{scheme}://` needs the package {package}, which is not installed",
                hint=f"run pip install {package}, or copy the file here",
            ) from None
        except FileNotFoundError as error:
            if error.__cause__ is not None and getattr(error.__cause__, "status", 0) != 404:
                raise _unreachable(name, scheme, error.__cause__) from None
            raise NotFoundError(f"{name}: there is no such file behind the URL", hint="check the URL") from None
        except IsADirectoryError:
            raise InputError(f"{name}: this is a folder, a file is wanted", hint="name the file in it") from None
        except ValueError as error:
            if "not known" in str(error).lower():
                raise InputError(
                    f"`{scheme}://` is not a source, allowed are files, databases and what fsspec knows",
                    hint=did_you_mean(scheme, ["file", "https", "s3", "gs", "abfs", "sftp", "sqlite", "postgresql"]),
                ) from None
            raise InputError(f"{name}: the URL cannot be read", hint="check how it is written") from None
        except Exception as error:  # noqa: BLE001 — every driver has errors of its own, some of which show the URL
            raise _unreachable(name, scheme, error) from None
        content = Content(Path(copy.name), name=name)
    except BaseException:
        Path(copy.name).unlink(missing_ok=True)
        raise
    weakref.finalize(content, Path(copy.name).unlink, missing_ok=True)
    return content


def shown(url: str) -> str:
    """Name a URL for people: its last part, without credentials, query and fragment.

    Example:
        >>> shown("https://anna:secret@example.org/a/sales%20May.csv?token=1"), shown("memory://t.csv")
        ('sales May.csv', 't.csv')
    """
    first = url.split("::", 1)[0] if "://" in url.split("::", 1)[0] else url
    parts = urlsplit(first)
    path = parts.path if parts.path.strip("/") else parts.netloc.rpartition("@")[2]
    return unquote(PurePosixPath(path).name) or parts.scheme or "url"


def _unreachable(name: str, scheme: str, error: BaseException) -> UnavailableError:
    status = getattr(error, "status", None)
    return UnavailableError(
        f"{name}: cannot be fetched by `{scheme}://`: {type(error).__name__}{f' {status}' if status else ''}",
        hint="check the address, the rights and the network",
    )


def _package(message: str) -> str:
    found = re.search(r"[Ii]nstall (?:the )?['\"`]?([A-Za-z0-9_.-]+)", message)
    return found[1] if found else ""
