"""All checks of the sensors of a log, in an order in which a sensor that is not believed is no sign for others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from occupancy.arrays import Rows
from occupancy.data.log import Log
from occupancy.health.finding import Finding
from occupancy.health.jumps import check_jumps
from occupancy.health.levels import check_levels
from occupancy.health.losses import check_missing, check_rhythm
from occupancy.health.profile import Profile, learn_signs, people_shown
from occupancy.health.ranges import check_codes, check_constant, check_range
from occupancy.health.scene import Scene, Signs
from occupancy.health.stuck import check_silent, check_stuck


def examine(log: Log, profile: Profile | None = None, sensors: Collection[str] | None = None) -> list[Finding]:
    """Return what is wrong with the sensors of a log, in order of time.

    Args:
        log: the log.
        profile: what working sensors read in training; counts of the log are then not looked at. Without one, only
            what is known of the kinds of sensors is used, and the counts where there are some.
        sensors: the names of the sensors to look at; None for all. With a profile it has
            them.
    """
    if profile is not None:
        sensors = [*profile.sensors]
    step_s = 0.0 if profile is None else profile.step_s
    found = _Examination(Scene.of(log, sensors, profile is None, step_s), profile).run()
    return [replace(finding, lines=log.lines) for finding in found]


class _Examination:
    def __init__(self, scene: Scene, profile: Profile | None) -> None:
        self.whole = self.scene = scene
        self.profile = profile
        self.found: list[Finding] = []

    def run(self) -> list[Finding]:
        for column in self.whole.columns:
            self._take(check_codes(self.scene, column))
            self._take(check_jumps(self.scene, column, self.profile))
            self._take(check_range(self.scene, column, self.profile))
        signs = self.profile.signs if self.profile is not None else learn_signs(self.scene)
        # Motion first: what goes on all night is no sign of people by which CO2 would be stuck.
        for column in sorted(self.whole.columns, key=lambda column: column.kind != "motion"):
            self._take(check_stuck(self.scene, column, self._people(column.name, signs), self.profile))
        self._find_silence(signs)
        for column in self.whole.columns:
            self._take(check_constant(self.scene, column, self._people(column.name, signs)))
        for column in self.whole.columns if self.profile is not None else ():
            assert self.profile is not None
            self._take(check_levels(self.scene, column, self.profile, self._people(column.name, signs)))
        self.found += check_missing(self.whole, self.profile)
        if self.profile is not None and self.profile.read:
            self.found += check_rhythm(self.whole, self.profile)
        read = None if self.profile is None else {*self.profile.read}
        told = [each for each in self.found if read is None or not each.sensors or read & {*each.sensors}]
        return sorted(told, key=lambda finding: (finding.first, finding.sensor))

    def _people(self, name: str, signs: Signs) -> Rows:
        """Return where others show people, or the counts do where they may be looked at, (N,)."""
        return people_shown(self.scene, name, signs) | self.scene.occupied

    def _find_silence(self, signs: Signs) -> None:
        motion = self.scene.of_kind("motion")
        learned = None if self.profile is None else self.profile.silence_s
        people = self.scene.loud(signs) | self.scene.rising(signs) | self.scene.occupied
        if motion:
            self._take(check_silent(self.scene, motion, people, learned))
        for name in motion if len(motion) > 1 else ():
            of_one = None if self.profile is None or name not in self.profile.sensors else self.profile.sensors[name]
            limit_s = None if of_one is None else of_one.busy_s
            self._take(check_silent(self.scene, [name], self._people(name, signs), limit_s, is_one=True))

    def _take(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.found.append(finding)
            if finding.distrusts:
                for name in finding.sensors:
                    self.scene = self.scene.without(name, finding.rows)
