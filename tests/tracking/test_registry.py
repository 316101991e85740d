from __future__ import annotations

import re
from unittest.mock import create_autospec

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from occupancy.config import Tracking
from occupancy.errors import InputError, InputWarning
from occupancy.tracking.registry import CURRENT, find_registered, register

REFUSED = MlflowException('duplicate key value violates unique constraint "registered_model_alias_pk"')


def client_whose_database_refuses_aliases(*answers: MlflowException | None) -> MlflowClient:
    client: MlflowClient = create_autospec(MlflowClient, instance=True)
    client.tracking_uri = __file__  # type: ignore[misc]
    client.create_model_version.return_value.version = "2"  # type: ignore[attr-defined]
    client.get_logged_model.return_value.tags = {}  # type: ignore[attr-defined]
    client.set_registered_model_alias.side_effect = answers  # type: ignore[attr-defined]
    return client


@pytest.mark.parametrize("given", ["", " ", "@current", "@", ":", ":3", "occupancy-best@", "occupancy-best:", "a@ "])
def test_a_name_that_lacks_a_part_is_told_with_the_forms_that_there_are(given: str) -> None:
    said = f"--model: got {given!r}, expected NAME@ALIAS, NAME:VERSION or NAME of a registered model, such as "
    with pytest.raises(InputError, match=f"^{re.escape(said)}occupancy-best@current, or the folder of a saved model$"):
        find_registered(Tracking(uri="sqlite:///none.db"), given)


def test_a_new_alias_that_another_process_sets_at_the_same_time_is_set_again() -> None:
    client = client_whose_database_refuses_aliases(REFUSED, None)
    assert register(client, "occupancy-best", "m-1", "run", {}) == f"occupancy-best@{CURRENT}"
    client.set_registered_model_alias.assert_called_with("occupancy-best", CURRENT, "2")  # type: ignore[attr-defined]


def test_an_alias_that_is_refused_twice_is_an_error() -> None:
    client = client_whose_database_refuses_aliases(REFUSED, REFUSED)
    with pytest.raises(InputError, match="duplicate key"):
        register(client, "occupancy-best", "m-1", "run", {})


@pytest.mark.parametrize(
    ("log", "before", "expected"),
    [("simulated", "room.csv", "m:2"), ("simulated", "simulated", "m@current"), ("room.csv", "simulated", "m@current")],
)
def test_a_model_of_a_simulated_log_leaves_the_alias_to_one_of_a_real_log(
    log: str, before: str, expected: str, recwarn: pytest.WarningsRecorder
) -> None:
    client = client_whose_database_refuses_aliases(None)
    client.get_registered_model.return_value.aliases = {CURRENT: "1"}  # type: ignore[attr-defined]
    client.get_model_version.return_value.tags = {"log": before}  # type: ignore[attr-defined]
    assert register(client, "m", "m-1", "run", {"log": log}) == expected
    assert client.set_registered_model_alias.called == (expected == "m@current")  # type: ignore[attr-defined]
    told = [str(warning.message) for warning in recwarn if warning.category is InputWarning]
    assert told == (
        []
        if expected == "m@current"
        else ["m@current stays version 1, which learned from a real log; the model of the simulated log is m:2"]
    )
