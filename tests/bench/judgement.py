"""alerts.evaluate over a month of many patients, beside a plain copy of the values and beside the plain reference.

All rules as shipped together, and those of each kind by themselves; on one processor, whose time is what counts.

The reference (tests/unit/alerts/scalar_trends.py) judges a few of the same patients, and both must find the same.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from alerts.evaluate import evaluate
from alerts.findings import FindingKind
from alerts.limits import Limits
from alerts.rulefile import read_rules
from alerts.rules import Rule
from alerts.series import Series, instant_of
from rpm.settings import CARE
from schemas.codes import BY_NUMBER, UNIT_BY_NUMBER
from tests.bench.ground import BenchFailed
from tests.bench.machine import Meter
from tests.bench.results import Result
from tests.support.large_series import NOW, large_series
from tests.unit.alerts import scalar, scalar_trends

#: Patients the reference judges: it looks at every pair of a patient's values.
SAMPLE: Final = 10


def measure(patients: int, reps: int) -> list[Result]:
    """Values per second of evaluate(), of a copy of the value column, of the reference."""
    rules = read_rules(CARE / "rules.toml")
    limits = Limits.of([], rules)
    series = large_series(patients)
    few = series.take(np.flatnonzero(series.patient <= SAMPLE))
    rows = _rows(few)
    target = np.empty_like(series.value)
    kinds: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        kinds[rule.measure_name or "value"].append(rule)
    product = Result("evaluate()", "values/s", detail={"rules": len(rules), "patients": patients, "rows": len(series)})
    copied = Result("np.copyto of the values", "values/s")
    plain = Result("the scalar reference", "values/s", detail={"patients": SAMPLE, "rows": len(few)})
    of_kind = {
        kind: Result(f"evaluate(), {kind}", "values/s", detail={"rules": len(some)}) for kind, some in kinds.items()
    }
    work: list[tuple[Result, int, Callable[[], Any]]] = [
        (product, len(series), lambda: evaluate(series, rules, limits=limits, now=NOW)),
        (copied, len(series), lambda: np.copyto(target, series.value)),
        (plain, len(few), lambda: scalar_trends.findings(rows, rules, {}, now=NOW)),
        *(
            (of_kind[kind], len(series), partial(evaluate, series, some, limits=limits, now=NOW))
            for kind, some in kinds.items()
        ),
    ]
    for result, values, judge in work:
        # The first time is another matter: pages that were never touched.
        judge()
        for _ in range(reps):
            with Meter({}) as meter:
                began = time.process_time()
                judge()
                taken_s = time.process_time() - began
            result.add(round(values / taken_s), meter.cpus)
    _agree(few, rows, rules)
    product.compare(copied, name="copyto")
    product.compare(plain, name="reference")
    return [product, *of_kind.values(), copied, plain]


def _rows(series: Series) -> list[scalar.Row]:
    columns = (series.patient, series.measured_at_us, series.reading_no, series.code, series.unit, series.value)
    return [
        scalar.Row(patient, instant_of(at), number, BY_NUMBER[code].name, UNIT_BY_NUMBER[unit], value)
        for patient, at, number, code, unit, value in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _agree(series: Series, rows: list[scalar.Row], rules: tuple[Rule, ...]) -> None:
    found = evaluate(series, rules, limits=Limits.of([], rules), now=NOW)
    fast = sorted(
        scalar_trends.Said(
            one.rule_id,
            one.patient,
            one.measured_at,
            one.reading_no,
            int(one.severity),
            one.late,
            one.kind is FindingKind.ASK,
        )
        for one in found
    )
    slow = scalar_trends.findings(rows, rules, {}, now=NOW)
    if fast != slow:
        raise BenchFailed(f"evaluate() and the reference disagree: {len(fast)} findings, {len(slow)}")
