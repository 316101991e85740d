"""The picture of sensors that fail, as the page of a log shows them.

    python docs/broken.py

Writes docs/images/health.png: three simulated days, in which sensors are broken one after the other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from occupancy.config import Data, Room, Simulation
from occupancy.data.source import open_log
from occupancy.exploration import health
from occupancy.exploration.parts import Subject
from occupancy.plots.figure import WIDTH

IMAGE = Path(__file__).parent / "images" / "health.png"


def main() -> None:
    """Break the sensors and write the picture."""
    simulation = Simulation(days=3, seed=0, room=Room(step_s=60))
    log, _ = open_log(Data(source="simulated", folds="simulated", simulation=simulation))
    frame, minute = log.frame, np.arange(len(log.frame))
    frame["S5_CO2"] = frame["S5_CO2"].where((minute < 900) | (minute > 2000), 900.0)
    frame["S1_Temp"] = frame["S1_Temp"].where(minute < 3500, frame["S1_Temp"] * 1.8 + 32)
    frame["S2_Temp"] = frame["S2_Temp"].where(minute % 1201 != 900, 85.0)
    frame["S6_PIR"] *= 0.0
    frame["S7_PIR"] *= 0.0
    figure = health.section(Subject(log)).pictures[0].draw(WIDTH)
    figure.savefig(IMAGE)


if __name__ == "__main__":
    main()
