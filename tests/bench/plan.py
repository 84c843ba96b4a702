"""How much is measured: the usual run, and a quick one that only shows that the benchmark itself works."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a run. A home has a gateway and one cuff; every repetition of a load is of `homes`, or `alerts`, new cuffs."""

    reps: int
    homes: int
    #: Readings of one repetition, by how many travel in one message.
    readings: tuple[tuple[int, int], ...]
    alert_reps: int
    alerts: int
    alerts_per_second: float
    #: The same while many come: each reading of a patient who had none.
    busy_alerts: int
    busy_per_second: float
    #: Readings that come one by one, at such a rate.
    receipts: int
    receipts_per_second: float
    judged_patients: int
    #: Series that single questions are asked of.
    series: int
    #: Urgent alerts that call one by one, and how many others are open meanwhile.
    calls: int
    open_alerts: int
    #: Of the box in the home: how long it idles, how often each device measures, and how long after the time before.
    box_idle_s: float
    box_rounds: int
    box_rest_s: float
    #: Of a home's outbox: frames put one by one, and rows of a backlog.
    frames: int
    backlog: int
    #: Of its line to the broker: how many faults it has; of its radio: sessions with a cuff, a multiple of connect.ROUNDS.
    faults: int
    sessions: int

    @property
    def gateways(self) -> int:
        """Gateways of the greatest load."""
        return max(self.homes, self.alerts, self.busy_alerts)

    @property
    def people(self) -> int:
        """Cuffs of all repetitions: of ingest by one worker, by two and by one that does nothing else, of receipts, of alerts."""
        calm = (3 * self.reps * len(self.readings) + self.alert_reps) * self.homes
        return calm + self.alert_reps * (self.alerts + self.busy_alerts)


USUAL: Final = Plan(
    reps=3,
    homes=1000,
    readings=((1, 15_000), (100, 40_000)),
    alert_reps=2,
    alerts=200,
    alerts_per_second=10.0,
    busy_alerts=2000,
    busy_per_second=200.0,
    receipts=4000,
    receipts_per_second=500.0,
    judged_patients=100_000,
    series=300_000,
    calls=200,
    open_alerts=10_000,
    box_idle_s=20.0,
    box_rounds=5,
    box_rest_s=0.0,
    frames=2_000,
    backlog=10_000,
    faults=4,
    sessions=100,
)
QUICK: Final = Plan(
    reps=1,
    homes=20,
    readings=((1, 400), (100, 2000)),
    alert_reps=1,
    alerts=10,
    alerts_per_second=10.0,
    busy_alerts=20,
    busy_per_second=50.0,
    receipts=200,
    receipts_per_second=100.0,
    judged_patients=300,
    series=600,
    calls=10,
    open_alerts=100,
    box_idle_s=2.0,
    box_rounds=1,
    box_rest_s=0.0,
    frames=100,
    backlog=600,
    faults=2,
    sessions=5,
)


def of_the_box(minutes: float) -> tuple[float, int, float]:
    """`box_idle_s`, `box_rounds` and `box_rest_s` of a run that takes about so long: a quarter of it idle, a round a minute."""
    return minutes * 15, max(round(minutes * 0.75), 1), 50.0
