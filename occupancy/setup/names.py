"""What the name of a column says: a kind of sensor, a unit, people, or something that must not be learned from."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from occupancy.config import Kind
from occupancy.data.kinds import KINDS

_WHOLE = 5  # a shorter word must stand alone: "temp" is no part of "attempt"
_DOMAIN = re.compile(r"^sensor\.")  # of Home Assistant: says nothing; "binary_sensor." does
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\d)(?=[A-Z][a-z])")
_BRACKETS = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]|\{([^{}]*)\}")
_AFTER_COMMA = re.compile(r",\s*([^,;()\[\]]{1,12})$")
_NO_UNIT = re.compile(r"s/n|lgr|sen|lbl|=|:", re.IGNORECASE)

Reason = str
REASONS: tuple[tuple[Reason, str], ...] = (
    (
        "not of the room",
        r"outdoors?|outside|exterior|exterieur|extérieur|aussen\w*|draussen|buiten\w*|weather|"
        r"wetter|meteo|wind|wind (speed|direction)|rain\w*|solar|irradiance|radiation|dry bulb|wet bulb|cloud\w*|"
        r"uv index|forecast|sunshine|ambient outdoor|oat",
    ),
    (
        "of the plant, not the room",
        r"set ?points?|sollwert|consigne|off ?coil|coil|valve\w*|ventil|chilled|"
        r"filter|supply (air )?(temp\w*|humidity|pressure|co2)|zuluft ?temp\w*|boiler|radiator|compressor|"
        r"(indoor|outdoor) unit|(ahu|supply|exhaust)( fan)? (energy|power)",
    ),
    (
        "the state of a device",
        r"battery|batterie|batterij|bat|rssi|lqi|link ?quality|signal|snr|uptime|firmware|"
        r"heap|error\w*|quality flag|checksum|host attached|end of file|bad battery|good battery|coupler \w+|stopped",
    ),
    (
        "gives the answer away",
        r"(plug|socket|outlet|appliance|steckdose|computer|pc|laptop|"
        r"monitor|tv|television|projector|printer|ceiling fan|desk)( \w+)? "
        r"(load|energy|power|consumption|current|usage|state|switch|kwh|wh|w|leistung|verbrauch|on)|"
        r"plug|plug loads?|(lights?|lighting|lamps?|licht|beleuchtung|luminaires?)( \w+)? "
        r"(energy|power|consumption|switch|state|on|off|status|relay|load|kwh|schalter|leistung)|lamps?|energy use\w*",
    ),
    (
        "computed from the time",
        r"hours?|hour of (the )?day|time of day|day of (the )?week|week ?day|dow|months?|"
        r"minutes? of (the )?day|is weekend|weekend|season|holiday|nsm|week ?status|week",
    ),
    (
        "computed from earlier rows",
        r"slope\w*|delta|diff|derivative|"
        r"gradient|rolling|moving average|lag ?\d*|lagged|trend",
    ),
)
"""Why a column is not to be learned from, with the words that say so."""

_SURE_PEOPLE = (
    r"(room )?(occupancy|occupants?|people|person|persons|head|user|student|visitor|seat) ?counts?|"
    r"(count|number|num|n|no|nr|nb|total)( of)? (people|persons?|occupants?|personnes|personen|visitors|students)|"
    r"people|persons?|personen|personnes|personas|occupants?|head ?counts?|anzahl personen|"
    r"personenzahl|aantal personen|nb occupants|n people|npeople|n occupants|noccupants|people in (the )?\w+"
)
_LIKELY_PEOPLE = (
    r"occupancy( (state|status|label|level|truth))?|occupied|presence|occupant presence|room presence|belegung|belegt|"
    r"besetzt|anwesenheit|anwesend|bezet|bezetting|aanwezigheid|aanwezig|ocupad[oa]|ocupacion|presencia|occupation|"
    r"occupe|labels?|target|ground ?truth|truth|y true|counts?|class|in use|inuse"
)
_NO_PEOPLE = re.compile(r"\b(devices?|wifi|wlan|clients?|bluetooth|ble|motion|pir|sensor|door|entr(y|ies)|exits?)\b")


def words_of(name: str) -> str:
    """Return the words of a name, in lower case and without accents, with one space between them."""
    split = _CAMEL.sub(" ", name.replace("µ", "u"))
    folded = "".join(sign for sign in unicodedata.normalize("NFKD", split) if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[a-z0-9]+", folded.replace("ß", "ss").lower()))


def bare(name: str) -> str:
    """Return a name without what stands in brackets or says its unit."""
    without = _BRACKETS.sub(" ", name)
    return _AFTER_COMMA.sub("", without.strip()).strip() or name


def unit_in(name: str) -> str:
    """Return the unit that a name has in brackets or after a comma, such as ``CO2 [ppm]``; empty if it has none."""
    found = [next(filter(None, groups), "") for groups in _BRACKETS.findall(name)]
    found += _AFTER_COMMA.findall(_BRACKETS.sub(" ", name).strip())
    return next((unit.strip() for unit in found if unit.strip() and not _NO_UNIT.search(unit)), "")


def kinds_in(words: str) -> list[tuple[Kind, str]]:
    """Return the kinds that words mean, each with the word that says so, the likeliest first.

    The last word of a name says what it is, as in ``door temperature``; of those that end at one place, the longest.
    """
    found: list[tuple[int, int, Kind, str]] = []
    for kind, facts in KINDS.items():
        places = [(match.end(), len(word), word) for word in facts.words for match in _pattern(word).finditer(words)]
        if places:
            end, length, word = max(places)
            found.append((end, length, kind, word))
    return [(kind, word) for _, _, kind, word in sorted(found, key=lambda one: one[:2], reverse=True)]


@cache
def _pattern(word: str) -> re.Pattern[str]:
    if len(word) >= _WHOLE:
        return re.compile(re.escape(word))
    return re.compile(rf"(?<![a-z0-9]){re.escape(word)}\d*(?![a-z0-9])")


def reason_against(words: str) -> Reason | None:
    """Return why a column of these words is not to be learned from; None if nothing speaks against it."""
    return next((reason for reason, pattern in REASONS if re.search(rf"\b(?:{pattern})\b", words)), None)


def people_in(name: str) -> int:
    """Return how surely a name says the number of people: 2, 1, or 0 for not at all."""
    words = words_of(bare(_DOMAIN.sub("", name)))
    if re.search(rf"\b(?:{_SURE_PEOPLE})\d*\b", words) and not _NO_PEOPLE.search(words):
        return 2
    return int(bool(re.search(rf"\b(?:{_LIKELY_PEOPLE})\d*\b", words)) and not _NO_PEOPLE.search(words))
