"""Secrets in addresses: what of an address, well formed or not, is a secret, and texts with these hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator

HIDDEN = "***"
"""What stands in place of a secret."""
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
FILES = ("sqlite", "file")
VARIABLE = re.compile(r"\$\{(\w+)\}")
"""The name of a variable of the environment in an address, which is no secret itself."""

_KNOWN = "|".join((*DATABASES, "https?", "file", "databricks"))
# As far as an address may be mistyped and still be one: with a single slash, or with none after a kind that is known.
_BEGINNING = re.compile(rf"\s*(?:(?P<kind>{_KNOWN})(?:\+\w*)?:/*|(?P<other>[a-z][a-z0-9+.\-]*):/+)?", re.IGNORECASE)
_HOST = re.compile(r"(?:\[[0-9a-f:.]*(?:%[\w.]+)?\]?|[^:]*)(?::\d*)?", re.IGNORECASE)
_SEPARATORS = re.compile(r"([?#&;])")
_HARMLESS = {"driver", "sslmode", "charset", "timeout", "connect_timeout", "mode", "uri", "host", "port", "user"}
_PORT = re.compile(r":\d+(?=/|$)")
_NAMED = "tracking.uri="
_TOKEN_ONLY = ("", "x-oauth-basic")  # passwords beside which the name of the user is the secret
_QUOTED = r"""(?<!\w)(?P<quote>['"])(?P<inside>(?:\\.|(?!(?P=quote))[^\\])*)(?P=quote)"""
_WORD = re.compile(rf"""{_QUOTED}|(?:[^\s'"]|(?<=\w)['"])+""")
_SCHEME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"


def shown(text: str) -> str:
    """Return an address, well formed or not, with ``***`` in place of each secret in it.

    Hidden are passwords, tokens in place of a user's name, what may be a password where no port is, and the values of
    a query but for a few that are known to hold no secret; ``${NAME}`` stays.
    """
    return "".join(HIDDEN if is_secret else piece for piece, is_secret in pieces(text))


def hide(text: str) -> str:
    """Return a text of any kind, such as a message, with the secrets of the addresses in it hidden."""
    return _WORD.sub(_hidden_word, text)


def hide_in(text: str) -> str:
    """Return a text that ends with an address, such as ``tracking.uri=...``, with the secrets of the address hidden."""
    start = len(text[: max(0, text.find(":/"))].rstrip(_SCHEME_CHARACTERS))
    if (named := text.find(_NAMED)) >= 0:
        start = named + len(_NAMED)
    elif ":/" not in text or "@" in text[:start]:
        login, at, place = text.rpartition("@")
        if not at or (":" not in login and not _PORT.search(place)):
            return text  # such as name@alias
        start = login.partition(":")[0].rfind("=") + 1
    return text[:start] + shown(text[start:])


def _hidden_word(match: re.Match[str]) -> str:
    word = match[0]
    if (sign := match["quote"]) is not None:
        return f"{sign}{hide_in(match['inside'])}{sign}"
    whole = word.rstrip(").,;:]}")
    return hide_in(whole) + word[len(whole) :]


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of an address, each with whether it is a secret."""
    begun = _BEGINNING.match(text)
    assert begun is not None, "nothing is a beginning too"
    kind, rest = (begun["kind"] or begun["other"] or "").lower(), text[begun.end() :]
    is_path = kind in FILES and begun[0].endswith("///")
    login, at, place = ("", "", rest) if is_path else rest.rpartition("@")
    yield begun[0], False
    if at:
        yield from _login_pieces(login, kind)
        yield at, False
    place, query = (place[: _query_start(place)], place[_query_start(place) :])
    hosts = place.partition("/")[0]
    if is_path or all(_HOST.fullmatch(host) for host in hosts.split(",")):
        yield place, False
    else:  # what stands where a port would may be the password of an address that lacks its @
        host, colon, other = place.partition(":")
        yield f"{host}{colon}", False
        yield from _secret_pieces(other)
    yield from _query_pieces(query)


def _query_start(place: str) -> int:
    return next((number for number, character in enumerate(place) if character in "?#"), len(place))


def _login_pieces(login: str, kind: str) -> Iterator[tuple[str, bool]]:
    user, colon, password = login.partition(":")
    is_token = kind not in DATABASES and password in _TOKEN_ONLY
    # A name with one of these is no name, but a part of what follows; that of a database may have an @.
    if is_token or set(user) & set("/?#") or ("@" in user and not colon):
        yield from _secret_pieces(user)
    else:
        yield user, False
    yield colon, False
    yield from _secret_pieces(password)


def _query_pieces(query: str) -> Iterator[tuple[str, bool]]:
    for number, piece in enumerate(_SEPARATORS.split(query)):
        key, equals, value = piece.partition("=")
        if number % 2:
            yield piece, False  # a separator
        elif equals:
            yield f"{key}{equals}", False
            yield from [(value, False)] if key.lower() in _HARMLESS else _secret_pieces(value)
        elif query.startswith("?"):  # else it is the name of a place on a page
            yield from _secret_pieces(piece)
        else:
            yield piece, False


def _secret_pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield what is secret in a text: all but the names of variables."""
    place = 0
    for variable in VARIABLE.finditer(text):
        if variable.start() > place:
            yield text[place : variable.start()], True
        yield variable[0], False
        place = variable.end()
    if text[place:]:
        yield text[place:], True
