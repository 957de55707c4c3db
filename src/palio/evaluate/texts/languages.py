"""Tell the language of a text by a light rule: its script, and words that each language uses all the time.

Nothing is downloaded, so that few languages are told; a text without enough of such words is of an unknown one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from palio import model

UNKNOWN = "unknown"
READ = 600
"""Characters that are read: enough for a dozen of common words."""
LEAST_SHARE, LEAST_LEAD = 0.12, 1.3
"""Of the words, those that must be common ones of the language; and how many times as many as of the next."""
FEWEST_WORDS = 4
FEWEST_COMMON = 2
"""Different common words: `si si` and `lor wat… wat` are of no language."""
_SCRIPTS = (
    ("Japanese", re.compile("[\u3040-\u30ff]")),
    ("Korean", re.compile("[\uac00-\ud7af\u1100-\u11ff]")),
    ("Chinese", re.compile("[\u3400-\u9fff]")),
    ("Thai", re.compile("[\u0e00-\u0e7f]")),
    ("Arabic", re.compile("[\u0600-\u06ff]")),
    ("Hebrew", re.compile("[\u0590-\u05ff]")),
    ("Hindi", re.compile("[\u0900-\u097f]")),
    ("Greek", re.compile("[\u0370-\u03ff]")),
    ("Cyrillic", re.compile("[\u0400-\u04ff]")),
)
_LETTER = re.compile(r"[^\W\d_]")
_COMMON = {
    "English": "the of and to in is it that was for on with as this are be at have from not you but they his her we "
    "an or by which one all there been has i my your so what just its he she do don will would can if no me come get "
    "got go how",
    "German": "der die das und ist nicht ich ein eine den mit zu auf für im sie es von dem auch sich des wird sind "
    "wir war aber als noch nur wie einen einer hat bei oder so aus an um nach über kein sehr mir mich haben",
    "French": "le la les des et est une un du de en que qui pas je pour dans il sur au ce avec ne se plus vous nous "
    "sont mais c l d j n s cette par ou on elle très aux tout sa son ses été",
    "Spanish": "el la los las de que y en un una es no por con para se del lo su al como más pero me muy ya este "
    "esta sus le son fue ha o si todo mi está hay",
    "Italian": "il la di che e è un una per non in con sono del della i le gli si da al ma come più questo questa "
    "anche lo ho mi ha nel dei molto alla",
    "Portuguese": "o a os as de que e do da em um uma não para com é se por mais no na dos das como mas foi ao ele "
    "muito sua seu meu eu isso está são você",
    "Dutch": "de het een en van is dat niet ik op te in met voor zijn er maar aan die wat ook als bij was zo naar "
    "je we heb nog wel om deze hij geen heel",
    "Polish": "i w nie na się z to że do jest jak o co po tak ale za od przez był czy dla są tym tego już mnie "
    "bardzo tylko może ma",
    "Swedish": "och att det i på är som en för med av inte jag den till har ett de om så var kan men vi du från "
    "mycket han hon ska när",
    "Turkish": "bir ve bu da de için çok ne ile gibi daha o ama var mı en kadar olarak ben değil sonra her ki",
}
COMMON_WORDS: dict[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _COMMON.items()}


def language(text: str) -> str:
    """Tell the language of a text, or its script where that is shared; `unknown` if it is too short to tell.

    Example:
        >>> language("Das Essen war gut, aber der Wein nicht."), language("これは本です"), language("ok 👍")
        ('German', 'Japanese', 'unknown')
    """
    head = text[:READ]
    letters = len(_LETTER.findall(head))
    if not letters:
        return UNKNOWN
    for name, letter in _SCRIPTS:
        if 2 * len(letter.findall(head)) > letters or (name == "Japanese" and 5 * len(letter.findall(head)) > letters):
            return name
    words = [model.folded(head[start:end]) for start, end in model.word_places(head)]
    words = [word for word in words if _LETTER.match(word)]
    if len(words) < FEWEST_WORDS:
        return UNKNOWN
    hits = sorted(((sum(w in common for w in words), name) for name, common in COMMON_WORDS.items()), reverse=True)
    (most, name), (next_most, _) = hits[:2]
    if len(COMMON_WORDS[name].intersection(words)) < FEWEST_COMMON:
        return UNKNOWN
    return name if most >= LEAST_SHARE * len(words) and most >= LEAST_LEAD * next_most else UNKNOWN


def languages(texts: Sequence[str]) -> list[str]:
    """Tell the language of each text."""
    return [language(text) for text in texts]
