"""What it changes of a bill that a patient was away, in words. Pure.

In hospital somebody else looks after the patient, and who uses the cuff at home is not the patient: readings measured and minutes
worked meanwhile do not count (`days.count_days`, `minutes.count_time`). A journey changes nothing: the devices may travel along.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from rpm.billing.case import Away, Case
from rpm.billing.days import local_day
from rpm.billing.outcome import Notice

IN_HOSPITAL: Final = "IN_HOSPITAL"
AWAY: Final = "AWAY"
_INSTANT: Final = timedelta(microseconds=1)


def away_notices(case: Case) -> Iterator[Notice]:
    """One for each time the patient was away, as far as it is known at `as_of`."""
    for away in sorted(case.away, key=lambda one: one.begins_at):
        if away.begins_at <= case.as_of:
            yield _notice(away, case)


def _notice(away: Away, case: Case) -> Notice:
    first, last = local_day(away.begins_at, case.zone), local_day(away.ends_at - _INSTANT, case.zone)
    until = f"from {first} to {last}" if away.ends_at <= case.as_of else f"since {first}, expected to last to {last}"
    if away.in_hospital:
        return Notice(IN_HOSPITAL, f"in hospital {until}: readings and minutes of that time do not count", first, last)
    why = "" if away.reason == "other" else f" ({away.reason})"
    return Notice(AWAY, f"away{why} {until}: readings and minutes count as ever", first, last)
