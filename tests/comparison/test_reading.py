from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from occupancy.comparison import reading
from occupancy.comparison.groups import Comparison
from occupancy.comparison.reading import read_comparison
from occupancy.config import Tracking
from occupancy.errors import InputError


def test_a_comparison_takes_as_many_honest_models_as_are_asked_for(
    new_store: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = Tracking(uri=new_store(tmp_path / "mlflow.db"))
    monkeypatch.setattr(reading, "read_runs", lambda _tracking: [])
    monkeypatch.setattr(reading, "compare", lambda _runs, scheme, _load: Comparison(scheme, [], 0, []))
    assert read_comparison(tracking, "forward").scheme == "forward"
    with pytest.raises(InputError) as caught:
        read_comparison(tracking, "forward", 1)
    assert str(caught.value) == (
        f"tracking.uri: {tracking.uri} holds 0 models on 'forward' that are causal and were not stopped on the test "
        "rows, expected at least 1; train more with occupancy train or `make compare`"
    )
