"""Find the folder of a backbone that a user named, and know it by its content."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import InputError, UnavailableError

NEEDED = ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors.index.json", "*.safetensors")
"""Files that are read; none of them can hold a program."""
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True)
class Place:
    """A folder with weights."""

    folder: str
    label: str
    """Its name, and what its content is known by: a path says nothing elsewhere."""


def label_of(where: str) -> str:
    """Return what a backbone is known by; empty if none is named. Errors as in `place_of`."""
    return place_of(where).label if where else ""


@functools.lru_cache(maxsize=8)
def place_of(where: str) -> Place:
    """Return the folder of a backbone: a path as it is, or a name on the hub of Hugging Face, which is downloaded.

    Raises:
        InputError: there is no such folder, or it holds no weights that may be read.
        UnavailableError: the hub does not answer, or its package is not installed.
    """
    path = Path(where).expanduser()
    is_folder = bool(where) and path.is_dir()
    if not is_folder and (_HUB_NAME.fullmatch(where) is None or where.startswith(".")):
        raise InputError(
            f"backbone `{where}`: there is no such folder", hint="give a folder, or a name like owner/name"
        )
    folder = path.resolve() if is_folder else _downloaded(where)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights or not (folder / "config.json").is_file():
        raise InputError(
            f"backbone `{where}`: it cannot be opened: config.json and weights as *.safetensors are wanted",
            hint="convert weights of another format; they could hold a program, and are not read",
        )
    digest = hashlib.sha256()
    for one in sorted({found for pattern in NEEDED for found in folder.glob(pattern)}):
        with one.open("rb") as file:
            digest.update(f"{one.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return Place(str(folder), f"{folder.name if is_folder else where}@{digest.hexdigest()[:12]}")


def kind_of(place: Place) -> str:
    """Return what kind of network the weights are of, as their configuration says; empty if it says nothing."""
    try:
        said = json.loads((Path(place.folder) / "config.json").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(said.get("model_type", "")) if isinstance(said, dict) else ""


def tell_nobody() -> None:
    """Switch off what packages of the hub tell about who uses them, whatever it was before; our processes inherit it.

    Source: Hugging Face Hub, environment variables; consoledonottrack.com.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:  # somebody has imported it before us
        vars(constants)["HF_HUB_DISABLE_TELEMETRY"] = True


def _downloaded(name: str) -> Path:
    tell_nobody()
    try:
        import huggingface_hub
    except ImportError:
        raise UnavailableError(f"backbone `{name}`: no package for the hub", hint="pip install 'palio[deep]'") from None
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=list(NEEDED)))
    except Exception as error:  # noqa: BLE001 - whatever the network raises
        raise UnavailableError(
            f"backbone `{name}`: the hub did not give it ({type(error).__name__})",
            hint="give the path of a folder, or check the name and the network",
        ) from None
