"""Settings of where runs are recorded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from occupancy.config.address import Address
from occupancy.config.section import PRINTABLE, Section


class Tracking(Section):
    """Where MLflow records the runs."""

    uri: Address = Field(Address("sqlite:///mlflow.db"), strict=False)  # a text is as good
    """The MLflow store: an SQLite file (``sqlite:///other.db``), a server (``http://host:5000``) or a database. It is
    shown and recorded without its password. ``${NAME}`` in it is read from the environment when it is used."""
    experiment: Annotated[str, Field(min_length=1, max_length=490), PRINTABLE] = "occupancy"
    """The MLflow experiment to which the runs belong; without control characters."""
    register_as: Annotated[str, Field(pattern=r"^[^/:@]+$", max_length=200), PRINTABLE] | Literal[False] | None = Field(
        None, alias="register"
    )
    """Name of the final model in the MLflow registry; the newest version gets the alias ``current``. null:
    ``occupancy-`` and the name of the config; ``false``: the final model is not registered. Without ``/``, ``:``, ``@``
    and control characters."""

    @property
    def shown_uri(self) -> str:
        """The address without its secrets, to show and to record."""
        return str(self.uri)
