"""Open a language network that others have taught, with its tokenizer, and let it read rows of ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palio.core.errors import InputError
from palio.train.deep.backbones import transformers_there
from palio.train.deep.calm import torch_there
from palio.train.deep.layers import layer
from palio.train.deep.places import Place

LONGEST = 128
"""Tokens of a text that are read, at most; fewer where the network takes fewer."""


@dataclass(frozen=True)
class Encoder:
    """A network from ids and mask to the mean of what it says of the tokens, (n, n_features)."""

    label: str
    module: Any = field(repr=False)
    tokenizer: str = field(repr=False)
    """As the library `tokenizers` writes it."""
    n_features: int
    n_layers: int
    longest: int


def open_encoder(place: Place) -> Encoder:
    """Open a language network.

    Args:
        place: Where it lies; it needs a `tokenizer.json`, which is data only.

    Raises:
        InputError: it is no network for texts that can be read.
        UnavailableError: torch or transformers is not installed.
    """
    torch_there()
    transformers = transformers_there()
    path = Path(place.folder) / "tokenizer.json"
    if not path.is_file():
        raise InputError(
            f"backbone `{place.label}`: it has no tokenizer.json", hint="save its fast tokenizer beside it"
        )
    try:
        inner = transformers.AutoModel.from_pretrained(
            place.folder,
            use_safetensors=True,
            dtype="float32",
            attn_implementation="eager",
            local_files_only=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, TypeError) as error:
        raise InputError(
            f"backbone `{place.label}`: it cannot be opened: {str(error).strip().splitlines()[0][:200]}",
            hint="it must be a model for texts with config.json, tokenizer.json and model.safetensors",
        ) from None
    config = inner.config
    most = int(getattr(config, "max_position_embeddings", LONGEST) or LONGEST)
    if getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert"):
        most -= 2  # their places begin at two
    return Encoder(
        label=place.label,
        module=layer(_mean_of_tokens, inner=inner).eval(),
        tokenizer=path.read_text("utf-8"),
        n_features=int(config.hidden_size),
        n_layers=len(layers_of(inner)),
        longest=min(LONGEST, most),
    )


def layers_of(inner: Any) -> Any:
    """Return the layers of a network, the first one first. Raises `InputError` if they are not to be found."""
    from torch import nn

    lists = [one for one in inner.modules() if isinstance(one, nn.ModuleList) and len(one) > 1]
    if not lists:
        raise InputError("backbone: its layers were not found", hint="choose a network like BERT or MiniLM")
    return max(lists, key=len)


def free(inner: Any, n_layers: int) -> None:
    """Let the last layers of a network learn, and nothing before them; all of it if there are no fewer."""
    layers = layers_of(inner)
    inner.requires_grad_(n_layers >= len(layers))
    for one in list(layers)[max(0, len(layers) - n_layers) :] if n_layers else ():
        one.requires_grad_(True)


def _mean_of_tokens(own: Any, ids: Any, mask: Any) -> Any:
    states = own.inner(input_ids=ids, attention_mask=mask).last_hidden_state
    there = mask.unsqueeze(2).to(states.dtype)
    return (states * there).sum(dim=1) / there.sum(dim=1).clamp(min=1.0)
