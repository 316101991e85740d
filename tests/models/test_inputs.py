from __future__ import annotations

import pytest

from occupancy.config import Clock, Config, Logistic, MassBalance, Mixture
from occupancy.config.model import Model
from occupancy.data.schema import UCI
from occupancy.models.inputs import columns_read, columns_unused

LIGHTS = {f"S{node}_Light" for node in range(1, 5)}
SLOPE = {"S5_CO2_Slope"}
MOTION = {"S6_PIR", "S7_PIR"}
ALL = set(UCI.sensors)


@pytest.mark.parametrize(
    ("model", "features", "read"),
    [
        (Logistic(), "all", ALL - SLOPE),
        (Logistic(), "no_light", ALL - LIGHTS - SLOPE),
        (Logistic(), "physics", ALL - LIGHTS - SLOPE),
        (Logistic(), ["co2_slope"], {"S5_CO2"}),
        (MassBalance(), "all", {"S5_CO2"} | MOTION),
        (MassBalance(), ["co2"], {"S5_CO2"}),
        (Clock(), "all", set()),
        (Mixture(members=[Clock(), MassBalance()]), "all", {"S5_CO2"} | MOTION),
        (
            Mixture(members=[Logistic(), MassBalance()]),
            ["sound", "co2"],
            {f"S{n}_Sound" for n in range(1, 5)} | {"S5_CO2"},
        ),
    ],
)
def test_the_columns_that_a_model_reads_and_the_others_are_all_columns(
    model: Model, features: str | list[str], read: set[str]
) -> None:
    config = Config.model_validate({"name": "x", "model": model, "features": features})
    assert {column.name for column in columns_read(config, UCI)} == read
    assert {column.name for column in columns_unused(config, UCI)} == ALL - read


def test_the_columns_keep_the_order_of_the_schema() -> None:
    config = Config(name="x", model=Logistic(), features="all")
    assert [column.name for column in columns_read(config, UCI)] == [name for name in UCI.sensors if name not in SLOPE]
