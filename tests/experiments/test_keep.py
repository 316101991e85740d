"""What is kept of a fitted model: it serves by itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from occupancy.config import Config, Data, Logistic
from occupancy.data.folds import Fold
from occupancy.data.reading import read_files
from occupancy.execution.fold import fit_final
from occupancy.experiments.keep import keep_model
from occupancy.health.profile import FILE, Profile
from occupancy.models.estimator import NO_STEPS
from occupancy.serving.counting import count_people
from occupancy.serving.model import ServedModel
from tests.health.made_logs import office


def test_a_log_that_is_counted_in_every_tenth_row_makes_a_model_that_counts_its_tail(tmp_path: Path) -> None:
    day, counted = office().times.day, np.arange(len(office().frame)) % 10 == 0
    frame = office().frame.assign(people=office().frame["people"].where(counted))
    log = dataclasses.replace(office(), frame=frame)
    rows = counted & np.asarray(day < 3)
    late = rows & (np.asarray(log.times.hour) >= 12) & np.asarray(day == 2)
    fold = Fold(1, log, rows & ~late, late, np.zeros_like(rows), ~counted & np.asarray(day < 3))
    config = Config(name="sparse", data=Data(max_count=2), model=Logistic(name="logistic"))
    files = keep_model(fit_final(config, fold, NO_STEPS))

    assert Profile.model_validate_json(files[FILE]).step_s == 60
    (tmp_path / "model").mkdir()
    for name, content in files.items():
        (tmp_path / "model" / name).write_bytes(content)
    tail = tmp_path / "office.csv"
    frame.loc["2024-01-03"].drop(columns="people").to_csv(tail, index_label="when", date_format="%Y-%m-%d %H:%M:%S")
    answer = count_people(ServedModel(tmp_path / "model"), read_files([tail], 10**8), tail, {})
    assert answer.findings == []
    assert answer.prediction.is_answered.mean() > 0.9
