from __future__ import annotations

import pytest
from pydantic import ValidationError

from occupancy.config import Tracking


def test_the_defaults_are_a_file_here_and_an_experiment_of_our_name() -> None:
    assert Tracking().uri.plain() == Tracking().shown_uri == "sqlite:///mlflow.db"
    assert Tracking().experiment == "occupancy"


@pytest.mark.parametrize("name", ["a" * 490, "Büro 3", "会議室\u3000一", "a/b: c@d"])
def test_names_that_mlflow_takes_are_taken(name: str) -> None:
    assert Tracking(experiment=name).experiment == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "at least 1 character"),
        ("a" * 491, "at most 490 characters"),
        ("a\nb", r"got the control character '\\n' in the text, expected text that can be printed"),
        ("\x1b]0;title\x07", "expected text that can be printed"),
        ("a\u2028b", "expected text that can be printed"),
    ],
)
def test_the_name_of_an_experiment_is_bounded_and_moves_no_cursor(name: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Tracking(experiment=name)


@pytest.mark.parametrize("name", ["a/b", "a" * 201, "a\tb", "x\x1b[31m"])
def test_the_name_of_a_registered_model_is_bounded_and_moves_no_cursor(name: str) -> None:
    with pytest.raises(ValidationError):
        Tracking(register=name)
    assert Tracking(register="office").register_as == "office"
    assert Tracking(register=False).register_as is False
