"""The address of a store, which may hold a password: it is shown without it, and only `Address.plain` tells it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import quote, unquote, unquote_plus, urlsplit

import yaml
from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from occupancy.config.secrets import FILES, HIDDEN, VARIABLE, hide, pieces, shown
from occupancy.errors import CONTROL, InputError

LONGEST = 2_000
"""The most characters of an address."""

_PASSED_ON = re.compile(r"(?:pwd|pass\w*|token|secret)\s*=\s*([^;&]+)", re.IGNORECASE)  # within a value, as for ODBC
_ENVIRONMENT = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PGPASSWORD")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.\-]*(?=:)", re.IGNORECASE)
_SHORT = 4  # a secret of fewer characters is found as a whole word only


class Address(str):
    """The address of a store. As a text it is what may be shown; `plain` alone has the secrets.

    Two addresses are equal if their plain texts are. A copy in another process has no secrets.
    """

    __slots__ = ("_plain",)
    _plain: str

    def __new__(cls, text: str) -> Address:
        """Return the address that a text is; an address stays as it is."""
        if isinstance(text, Address):
            return text
        address = super().__new__(cls, shown(text))
        address._plain = text
        return address

    def plain(self) -> str:
        """Return the address with its secrets, for whoever connects; ``${NAME}`` becomes what the environment has.

        Raises:
            InputError: a variable is not set, or a secret was replaced by ``***`` when the address was shown.
        """
        if (HIDDEN, True) in pieces(self._plain):
            raise InputError(
                f"tracking.uri: got {self!r}, where {HIDDEN} stands for a secret that was not recorded; put the secret "
                "there, or ${NAME} with its name in the environment"
            )
        text = _SCHEME.sub(lambda scheme: scheme[0].lower(), self._plain.strip())
        return VARIABLE.sub(self._value, text)

    @property
    def kind(self) -> str:
        """``sqlite``, ``http``, ``postgresql`` ..., or nothing where it has no such beginning."""
        try:
            return urlsplit(self._plain.strip()).scheme.partition("+")[0]
        except ValueError:
            return ""

    def scrub(self, text: str) -> str:
        """Return what a library says of the address, without its secrets and without those of the environment."""
        text = text.replace(self._plain, self)
        for secret in sorted(self._secrets(), key=len, reverse=True):
            edges = (r"(?<!\w)", r"(?!\w)") if len(secret) < _SHORT else ("", "")
            text = re.sub(re.escape(secret).join(edges), HIDDEN, text)
        return hide(text)

    def _value(self, variable: re.Match[str]) -> str:
        name = variable[1]
        if (value := os.environ.get(name)) is None:
            raise InputError(f"tracking.uri: got {self!r}, but {name} is not set in the environment; export {name}=...")
        return value if self.kind in FILES else quote(value, safe="")

    def _secrets(self) -> set[str]:
        names = [*_ENVIRONMENT, *VARIABLE.findall(self._plain)]
        found = {os.environ.get(name, "") for name in names}
        found |= {piece for piece, is_secret in pieces(self._plain) if is_secret}
        found |= {decode(piece) for piece in found for decode in (unquote, unquote_plus)}
        found |= {one.strip(" {}") for piece in found for one in _PASSED_ON.findall(piece)}
        found |= {as_written for piece in found for as_written in (quote(piece, safe=""), repr(piece)[1:-1])}
        return found - {"", HIDDEN}

    def __eq__(self, other: object) -> bool:
        return self._plain == (other._plain if isinstance(other, Address) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._plain)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Address], tuple[str]]:
        return Address, (str(self),)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            cls._checked,
            core_schema.str_schema(strict=True, max_length=LONGEST),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: str(Address(value))),
        )

    @classmethod
    def _checked(cls, value: Any, check: Callable[[Any], str]) -> Address:
        address = value if isinstance(value, Address) else cls(check(value))
        if CONTROL.search(address._plain):
            raise ValueError(f"got {address!r}, expected an address without control characters")
        return address


for _dumper in (yaml.SafeDumper, yaml.Dumper):
    _dumper.add_representer(Address, lambda dumper, address: dumper.represent_str(str(address)))
