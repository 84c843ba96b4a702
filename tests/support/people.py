"""People who measure without pause, one device after the other, in a thread of their own."""

import itertools
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from tests.support.world import Home, VirtualDevice, World


class People:
    """Every device of every home in turn, every `every_s`. `crisis(home, taken)` says when a cuff shows 192/142."""

    def __init__(
        self,
        world: World,
        homes: Sequence[Home],
        *,
        seed: int,
        every_s: float,
        crisis: Callable[[str, int], bool] = lambda _home, _taken: False,
    ) -> None:
        self._world, self._homes, self._every_s, self._crisis = world, homes, every_s, crisis
        self._stop, self._random = threading.Event(), random.Random(seed)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="people")
        self.taken = 0

    def __enter__(self) -> Self:
        self._life = self._executor.submit(self._live)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._executor.shutdown()
        self._life.result()

    def _live(self) -> None:
        devices = [(home.name, device) for home in self._homes for device in home.devices]
        for home, device in itertools.cycle(devices):
            if self._stop.wait(self._every_s):
                return
            self._measure(home, device)
            self.taken += 1

    def _measure(self, home: str, device: VirtualDevice) -> None:
        chance = self._random
        if device.model == "cuff":
            crisis = self._crisis(home, self.taken)
            systolic = 192 if crisis else chance.randrange(118, 140)
            # Whoever sees such a value measures once more, as the box asks.
            for shown in (systolic, systolic - 2)[: 1 + crisis]:
                self._world.ask(home, device.name, "measure", systolic=shown, diastolic=shown - 50, pulse=70)
            self.taken += crisis
        elif device.model == "scale":
            self._world.ask(home, device.name, "weigh", kg=round(chance.uniform(80.0, 80.5), 1))
        else:
            self._world.ask(home, device.name, "prick", mg_dl=chance.randrange(95, 140))
