"""Pretraining on simulated rooms: a network learns how sensors react to people before it is trained on a log."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import nn

from occupancy.config import Config, Room, Simulation, Train
from occupancy.data.schema import UCI
from occupancy.data.simulation import simulate_rooms
from occupancy.errors import InputError
from occupancy.features.inputs import Inputs
from occupancy.models.neural.holes import lay
from occupancy.models.neural.training import WindowModule, train
from occupancy.models.neural.windows import Batches

ROOM_EPOCHS = 3
ROOM_SPREAD = 0.6  # rooms have 0.4 to 1.6 times the usual volume, air change, generation and noise
ROOM_HOURS = ("08:00", "22:00")  # nights are all alike
ROOM_SEED = 20171222  # any number: it makes the rooms differ from a simulated log with the same seed
ROOM_STEPS_S = (1.0, 600.0)  # range of steps that the simulator supports


def simulated(config: Config, inputs: Inputs, window: int) -> Batches:
    """Return the rows of one day of each of ``train.pretrain_rooms`` rooms in batches.

    The rooms have the step of the log and at most its number of people; their sensors are scaled like those of the log.

    Args:
        config: the experiment; its seed determines the rooms.
        inputs: the inputs of the network, scaled on the training rows of the log.
        window: T, samples that a prediction uses.

    Raises:
        InputError: if the simulator does not support the step of the log.
    """
    if not ROOM_STEPS_S[0] <= inputs.step_s <= ROOM_STEPS_S[1]:
        raise InputError(
            f"train.pretrain_rooms: the log has a row every {inputs.step_s:g} s, but rooms can be simulated with "
            f"steps of {ROOM_STEPS_S[0]:g} to {ROOM_STEPS_S[1]:g} s; set it to 0"
        )
    # Rooms with the same seed have the same visits, and the log may be simulated too.
    seed = int(np.random.SeedSequence([config.seed, ROOM_SEED]).generate_state(1)[0])
    room = Room(step_s=inputs.step_s, max_people=config.data.max_count)
    rooms = simulate_rooms(Simulation(days=1, seed=seed, room=room), config.train.pretrain_rooms, ROOM_SPREAD)
    frames = [frame.between_time(*ROOM_HOURS) for frame in rooms]
    stretch = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    frame = pd.concat(frames)
    windows, _ = lay(inputs, frame[UCI.sensors], stretch, window, config.train.sensor_dropout)
    counts = torch.from_numpy(frame[UCI.count].to_numpy(np.int64))
    return Batches(windows, np.arange(len(frame)), counts, config.train.batch_size)


def pretrain(network: nn.Module, rooms: Batches, settings: Train) -> None:
    """Train a network on simulated rooms; afterwards it is in training mode."""
    train(network, WindowModule(rooms), settings, ROOM_EPOCHS, lambda *_: None)
    network.train()
