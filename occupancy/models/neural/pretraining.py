"""Simulated rooms, from which a network learns how sensors follow people before it meets a log."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import nn

from occupancy.config import Config, Room, Simulation, Train
from occupancy.data.schema import UCI
from occupancy.data.simulated_log import simulate_rooms
from occupancy.errors import InputError
from occupancy.features.inputs import Inputs
from occupancy.models.neural.task import WindowModule, train
from occupancy.models.neural.windows import Batches, Windows

EPOCHS = 3
SPREAD = 0.6  # rooms of 0.4 to 1.6 times the usual volume, air change, generation and noise
HOURS = ("08:00", "22:00")  # nights are all alike
APART = 20171222  # any number: with it, a seed here is another than in a simulated log
STEPS_S = (1.0, 300.0)  # that the simulator can take


def simulated(config: Config, inputs: Inputs, window: int) -> Batches:
    """Return the rows of a day of each of ``train.pretrain_rooms`` rooms in batches to learn from.

    The rooms have the log's step and at most its number of people; their sensors are scaled as the log's.

    Args:
        config: the experiment, whose seed decides on the rooms.
        inputs: what the network sees, scaled on the training rows of the log.
        window: T, samples that a prediction sees.

    Raises:
        InputError: the log has a step that the simulator can't take.
    """
    if not STEPS_S[0] <= inputs.step_s <= STEPS_S[1]:
        raise InputError(
            f"train.pretrain_rooms: the log has a row every {inputs.step_s:g} s, expected {STEPS_S[0]:g} to "
            f"{STEPS_S[1]:g} s, as rooms can be simulated; set it to 0"
        )
    # Rooms of the same seed have the same visits, and the log may be a simulated one.
    seed = int(np.random.SeedSequence([config.seed, APART]).generate_state(1)[0])
    room = Room(step_s=inputs.step_s, max_people=config.data.max_count)
    rooms = simulate_rooms(Simulation(days=1, seed=seed, room=room), config.train.pretrain_rooms, SPREAD)
    frames = [frame.between_time(*HOURS) for frame in rooms]
    stretch = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    frame = pd.concat(frames)
    values = inputs.transform(frame[UCI.sensors], stretch)
    counts = torch.from_numpy(frame[UCI.count].to_numpy(np.int64))
    return Batches(Windows(values, stretch, window), np.arange(len(frame)), counts, config.train.batch_size)


def pretrain(network: nn.Module, rooms: Batches, settings: Train) -> None:
    """Train a network on simulated rooms; it is in training mode then."""
    train(network, WindowModule(rooms), settings, EPOCHS, lambda *_: None)
    network.train()
