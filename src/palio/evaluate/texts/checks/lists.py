"""Short lists of words that checks need: given names, places, words of opinion, words that deny."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split()))


GIVEN_NAMES = _words(
    "James John Robert Michael David Richard Joseph Thomas Charles Daniel Matthew Anthony Steven Paul Andrew Kevin "
    "Brian George Edward Ronald Timothy Jeffrey Jacob Nicholas Eric Jonathan Stephen Peter Adam Simon Martin Mary "
    "Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Nancy Lisa Margaret Sandra Ashley Kimberly "
    "Emily Donna Michelle Laura Amanda Rebecca Julia Anna Emma Sophie Maria Hans Klaus Jürgen Wolfgang Stefan "
    "Andreas Ursula Petra Sabine Monika Heike Lukas Lena Pierre Jean François Camille Juliette Chloé Carlos José Juan "
    "Miguel Pablo Lucía Carmen Isabel Giovanni Marco Giulia Francesca Mohammed Ahmed Ali Fatima Aisha Omar Yusuf "
    "Wei Ming Hiroshi Yuki Sakura Ravi Priya Arjun Ivan Olga Natasha Dmitri"
)
PLACES = _words(
    "London Paris Berlin Madrid Rome Vienna Tokyo Beijing Delhi Mumbai Sydney Toronto Chicago Boston Seattle Houston "
    "Dallas Moscow Cairo Lagos Nairobi Dublin Lisbon Oslo Stockholm Hamburg München Köln Frankfurt Leipzig Lyon "
    "Marseille Barcelona Milano Munich Cologne Germany France Spain Italy England Scotland Ireland Canada Mexico "
    "Brazil Japan China India Australia Egypt Kenya Poland Sweden Norway Deutschland Frankreich Spanien Italien"
)
TITLES = frozenset(_words("mr mrs ms dr prof herr frau sir señor señora madame monsieur"))
GOOD = frozenset(
    _words(
        "good great excellent wonderful amazing awesome fantastic brilliant superb lovely best beautiful perfect "
        "enjoyable delightful pleasant impressive love loved funny charming nice happy recommend favorite fun moving "
        "gut gute guter gutes toll super schön wunderbar großartig hervorragend ausgezeichnet perfekt lecker "
        "freundlich zufrieden bon bonne excellente magnifique superbe génial parfait agréable bueno buena excelente "
        "maravilloso perfecto genial encantador buono ottimo bellissimo eccellente"
    )
)
BAD = frozenset(
    _words(
        "bad terrible awful horrible worst poor boring dull disappointing disappointed ugly hate hated stupid waste "
        "annoying nasty mediocre pathetic lame dreadful useless broken rude unfunny worse fails "
        "schlecht schlechte schlechter schlechtes furchtbar schrecklich langweilig enttäuschend enttäuscht hässlich "
        "kaputt unfreundlich ärgerlich mauvais mauvaise nul ennuyeux décevant malo mala pésimo aburrido "
        "decepcionante cattivo pessimo noioso deludente"
    )
)
OPPOSITES = {
    "good": "bad", "great": "terrible", "excellent": "awful", "wonderful": "horrible", "amazing": "awful",
    "best": "worst", "beautiful": "ugly", "love": "hate", "loved": "hated", "perfect": "terrible", "lovely": "awful",
    "funny": "boring", "enjoyable": "boring", "nice": "nasty", "fantastic": "terrible", "brilliant": "stupid",
    "superb": "awful", "delightful": "dreadful", "impressive": "disappointing", "charming": "annoying",
    "gut": "schlecht", "gute": "schlechte", "guter": "schlechter", "gutes": "schlechtes", "toll": "furchtbar",
    "schön": "hässlich", "wunderbar": "schrecklich", "freundlich": "unfreundlich", "zufrieden": "enttäuscht",
    "bon": "mauvais", "bonne": "mauvaise", "bueno": "malo", "buena": "mala", "buono": "cattivo",
}  # fmt: skip
"""What is good, and its opposite."""
TURNED = {
    **{bad: good for good, bad in reversed(OPPOSITES.items())}, **OPPOSITES, "dull": "charming", "poor": "excellent",
    "disappointed": "happy", "happy": "disappointed", "mediocre": "brilliant", "rude": "charming", "fun": "boring",
}  # fmt: skip
"""Either way round."""
DENIALS = {
    "English": "not", "German": "nicht", "French": "pas", "Spanish": "no", "Italian": "non", "Portuguese": "não",
    "Dutch": "niet", "Swedish": "inte", "Polish": "nie",
}  # fmt: skip
BEFORE_VERBS = frozenset(_words("no non não nie"))
"""Denials that stand before the verb."""
DENYING = frozenset(
    _words(
        "not no never nothing without hardly nicht kein keine nie pas jamais sans ni sin nunca non mai niet geen inte "
        "aldrig bez não nem isn isnt wasn wasnt aren don dont doesn didn can cannot won wouldn"
    )
)
COPULAS = frozenset(
    _words(
        "is was are were am be has have will would can could should did does do ist sind war waren hat wird est était "
        "sont es son era fue está è sono"
    )
)
