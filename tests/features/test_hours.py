from __future__ import annotations

import numpy as np
import pandas as pd

from occupancy.features.hours import NAMES, hours


def test_midnight_is_beside_the_minute_before_it_on_the_circle_and_far_from_it_on_the_line() -> None:
    wall = pd.DatetimeIndex(["2024-01-05 23:59", "2024-01-06 00:00", "2024-01-06 12:00"])  # Friday, then Saturday
    table = pd.DataFrame(hours(wall), columns=NAMES)
    np.testing.assert_allclose(table["hour"], [1439 / 1440, 0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(table["hour_sin"], [-np.sin(2 * np.pi / 1440), 0, 0], atol=1e-6)
    np.testing.assert_allclose(table["hour_cos"], [1, 1, -1], atol=1e-5)
    assert table["weekend"].tolist() == [0, 1, 1]
