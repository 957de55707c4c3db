"""Pictures: bytes of strangers become what they are, pixels, statistics and a likeness; the only room that decodes.

Ingest, training, evaluation, the server and `palio predict` all read pictures here, so that a picture has the same
pixels everywhere. Needs Pillow and numpy (the extra `image`), which are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.pixels.decoding import decoded as decoded
    from palio.pixels.describing import STATISTICS as STATISTICS
    from palio.pixels.describing import Described as Described
    from palio.pixels.describing import describe as describe
    from palio.pixels.describing import statistics as statistics
    from palio.pixels.drawing import drawn as drawn
    from palio.pixels.fitting import FITS as FITS
    from palio.pixels.fitting import Place as Place
    from palio.pixels.fitting import fit as fit
    from palio.pixels.fitting import fitted as fitted
    from palio.pixels.fitting import part as part
    from palio.pixels.fitting import place_of as place_of
    from palio.pixels.grounds import on_ground as on_ground
    from palio.pixels.hashing import groups as groups
    from palio.pixels.hashing import likeness as likeness
    from palio.pixels.hashing import near as near
    from palio.pixels.hashing import tells_copies as tells_copies
    from palio.pixels.limits import FORMATS as FORMATS
    from palio.pixels.limits import Limits as Limits
    from palio.pixels.looking import Look as Look
    from palio.pixels.looking import look as look
    from palio.pixels.problems import PROBLEMS as PROBLEMS
    from palio.pixels.rules import RULE as RULE
    from palio.pixels.rules import rule as rule
    from palio.pixels.thumbnails import as_jpeg as as_jpeg
    from palio.pixels.thumbnails import blurred as blurred
    from palio.pixels.thumbnails import thumbnail as thumbnail
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "decoding": "decoded",
            "describing": "STATISTICS Described describe statistics",
            "drawing": "drawn",
            "fitting": "FITS Place fit fitted part place_of",
            "grounds": "on_ground",
            "hashing": "groups likeness near tells_copies",
            "limits": "FORMATS Limits",
            "looking": "Look look",
            "problems": "PROBLEMS",
            "thumbnails": "as_jpeg blurred thumbnail",
            "rules": "RULE rule",
        },
    )
