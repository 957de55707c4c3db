"""Names of months, weekdays and zones as people write them, in the languages that tables are often written in."""

from __future__ import annotations

import unicodedata

_MONTHS = {
    "en": "january february march april may june july august september october november december",
    "de": "januar februar maerz april mai juni juli august september oktober november dezember",
    "at": "jaenner feber marz april mai juni juli august september oktober november dezember",
    "fr": "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}
_OTHERS = (
    "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "leden únor březen duben květen červen červenec srpen září říjen listopad prosinec",
    "ledna února března dubna května června července srpna září října listopadu prosince",
    "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar marts april maj juni juli august september oktober november desember",
    "tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu elokuu syyskuu lokakuu marraskuu joulukuu",
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta "
    "marraskuuta joulukuuta",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "január február március április május június július augusztus szeptember október november december",
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "januari februari maret april mei juni juli agustus september oktober november desember",
    "Ιανουαρίου Φεβρουαρίου Μαρτίου Απριλίου Μαΐου Ιουνίου Ιουλίου Αυγούστου Σεπτεμβρίου Οκτωβρίου Νοεμβρίου "
    "Δεκεμβρίου",
    "sty lut mar kwi maj cze lip sie wrz paź lis gru",
    "янв фев мар апр май июн июл авг сен окт ноя дек",
    "янв февр март апр мая июня июля авг сент окт нояб дек",
    "jan feb mar apr maj jun jul aug sep okt nov dec",
    "oca şub mar nis may haz tem ağu eyl eki kas ara",
)
"""Polish, Czech, Russian, Ukrainian, Swedish, Danish and Norwegian, Finnish, Turkish, Hungarian, Romanian, Indonesian
and Greek, by one and beside a day where that differs, and in short; no name is another month in another language."""
_SHORT = {
    "en": "jan feb mar apr may jun jul aug sep oct nov dec",
    "de": "jan feb mrz apr mai jun jul aug sep okt nov dez",
    "fr": "janv fevr mars avr mai juin juil aout sept oct nov dec",
    "es": "ene feb mar abr may jun jul ago sep oct nov dic",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
    "pt": "jan fev mar abr mai jun jul ago set out nov dez",
    "nl": "jan feb mrt apr mei jun jul aug sep okt nov dec",
}
_DAYS = (
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun "
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag mo di mi do fr sa so "
    "lundi mardi mercredi jeudi vendredi samedi dimanche lun mar mer jeu ven sam dim "
    "lunes martes miercoles jueves viernes sabado domingo mie jue vie sab dom "
    "lunedi martedi mercoledi giovedi venerdi sabato domenica gio "
    "måndag tisdag onsdag torsdag fredag lördag søndag "
    "segunda terca quarta quinta sexta maandag dinsdag woensdag donderdag vrijdag zaterdag zondag"
)


def plain(word: str) -> str:
    """Write a word in lower case, without accents and points; ä, ö, ü become a, o, u.

    Example:
        >>> plain("Févr."), plain("MÄRZ")
        ('fevr', 'marz')
    """
    letters = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in letters if not unicodedata.combining(c) and c != ".")


MONTHS: dict[str, int] = {
    name.replace("ae", "a") if table is _MONTHS and language in ("de", "at") else name: i
    for table in (_MONTHS, _SHORT)
    for language, names in table.items()
    for i, name in enumerate(names.split(), start=1)
} | {
    "sept": 9,
    "maerz": 3,
    "jaenner": 1,
    "janner": 1,
    **{plain(name): i for names in _OTHERS for i, name in enumerate(names.split(), start=1)},
}
"""Name of a month, as `plain` writes it → 1 to 12."""
WEEKDAYS = frozenset(map(plain, _DAYS.split()))
ZONES: dict[str, float] = {
    **dict.fromkeys(("Z", "UTC", "GMT", "WET"), 0.0),
    **dict.fromkeys(("CET", "WEST", "MEZ"), 1.0),
    **dict.fromkeys(("CEST", "EET", "MESZ"), 2.0),
    **dict.fromkeys(("EEST", "MSK"), 3.0),
    "EST": -5.0,
    "EDT": -4.0,
    "CST": -6.0,
    "CDT": -5.0,
    "MST": -7.0,
    "MDT": -6.0,
    "PST": -8.0,
    "PDT": -7.0,
    "JST": 9.0,
    "KST": 9.0,
    "SGT": 8.0,
    "AEST": 10.0,
    "AEDT": 11.0,
    "NZST": 12.0,
}
"""Abbreviation of a zone that only one part of the world uses → hours ahead of UTC."""
