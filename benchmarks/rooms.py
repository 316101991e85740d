"""What many rooms take: wall time and peak memory of `occupancy.train`, by the number of rooms.

    python -m benchmarks.rooms 20 50 200
    python -m benchmarks.rooms 20 50 200 --cluster
    python -m benchmarks.rooms 20 50 --folds leave_rooms_out

Simulated rooms are written into a folder that goes when all is measured, each model is a small random forest, and a
line of Markdown is printed for each number of rooms. Memory is the unique one (USS) of the command and of the
processes that work for it, looked at five times a second. With ``--cluster`` these are those of a Dask scheduler and
its workers on this machine, started for the purpose and not counted into the time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from occupancy.config import Room, Simulation
from occupancy.data.export import write_rooms

CONFIG = "model: {name: random_forest, trees: 20, min_samples_leaf: 20}\n"
MEBIBYTE = 2**20
BREAK_S = 0.2


def main() -> None:
    """Write the rooms, train on them and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", type=int, nargs="+", metavar="ROOMS", help="how many rooms")
    parser.add_argument("--days", type=int, default=3, help="days in each log")
    parser.add_argument("--step-s", type=float, default=30.0, help="seconds between two rows")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    parser.add_argument("--folds", default="each_room", help="each_room or leave_rooms_out")
    parser.add_argument("--cluster", action="store_true", help="by a Dask scheduler and its workers")
    options = parser.parse_args()
    print("| rooms | rows | wall time | command, peak | busiest other process, peak | mse |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for rooms in options.rooms:
        with tempfile.TemporaryDirectory() as folder:
            settings = Simulation(days=options.days, room=Room(step_s=options.step_s))
            write_rooms(settings, rooms, Path(folder, "rooms"))
            with ExitStack() as stack:
                where = ["--workers", str(options.workers)]
                others: list[psutil.Process] = []
                if options.folds != "each_room":
                    where = []
                elif options.cluster:
                    address, others = stack.enter_context(_dask(Path(folder), options.workers))
                    where = ["--cluster", address]
                print(_measure(Path(folder), rooms, options.folds, where, others), flush=True)


@contextmanager
def _dask(folder: Path, workers: int) -> Iterator[tuple[str, list[psutil.Process]]]:
    """Start a Dask scheduler with workers, and yield its address and the processes of both."""
    file = folder / "scheduler.json"
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    started: list[psutil.Process] = []
    try:
        with (folder / "dask.log").open("w") as log:
            for command in (
                ["scheduler", "--port", "0", "--scheduler-file", str(file)],
                ["worker", "--scheduler-file", str(file), "--nworkers", str(workers), "--nthreads", "1"],
            ):
                started.append(psutil.Popen([sys.executable, "-m", "dask", *command, *here], stdout=log, stderr=log))
                while not file.is_file() or not file.read_text().endswith("}"):
                    time.sleep(BREAK_S)
        yield json.loads(file.read_text())["address"], started
    finally:
        for process in started:
            for each in [process, *process.children(recursive=True)]:
                each.kill()
            process.wait()


def _measure(folder: Path, rooms: int, folds: str, where: list[str], others: list[psutil.Process]) -> str:
    (folder / "forest.yaml").write_text(CONFIG)
    command = [sys.executable, "-m", "occupancy.train", "--config", "forest.yaml", "--json", *where]
    settings = ["data.rooms=rooms", f"data.folds={folds}"]
    start = time.perf_counter()
    with (folder / "out.json").open("w") as out:
        process = subprocess.Popen([*command, *settings], cwd=folder, stdout=out)
        peaks = _watch(process, others)
    took_s = time.perf_counter() - start
    assert process.returncode == 0, "the training failed"
    told = json.loads((folder / "out.json").read_text())
    own, other = peaks.pop(process.pid), max(peaks.values(), default=0)
    memory = f"{own / MEBIBYTE:.0f} MiB | " + (f"{other / MEBIBYTE:.0f} MiB" if other else "none")
    return f"| {rooms} | {told['dataset']['rows']:,} | {took_s:.0f} s | {memory} | {told['metrics']['mse_avg']:.3f} |"


def _watch(process: subprocess.Popen[bytes], others: list[psutil.Process]) -> dict[int, int]:
    """Return the peak memory of processes and of those below them, in bytes by process id, once the first has ended."""
    peaks: dict[int, int] = defaultdict(int)
    roots = [psutil.Process(process.pid), *others]
    while process.poll() is None:
        for root in roots:
            with suppress(psutil.NoSuchProcess):
                for each in [root, *root.children(recursive=True)]:
                    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                        peaks[each.pid] = max(peaks[each.pid], each.memory_full_info().uss)
        time.sleep(BREAK_S)
    return peaks


if __name__ == "__main__":
    main()
