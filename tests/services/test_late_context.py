"""A meal that comes a connection after its glucose completes it, from the meter to the patient's page.

Method: an air, a gateway, a broker and a worker, each a process of its own and all real. The first time the meter reports,
the record's context is lost in the air.
"""

import json
from pathlib import Path

from tests.support.broker import Broker
from tests.support.world import Home, VirtualDevice, World

PATIENT = "Maria Alvarez"
METER = VirtualDevice("meter", "meter", "C0:00:00:00:0A:07", PATIENT)
HOME = Home("a", (METER,))
WAIT_S_MAX = 60.0


def test_a_meal_that_comes_later_completes_its_glucose(tmp_path: Path, broker: Broker, dsn: str) -> None:
    with World(tmp_path, homes=[HOME], broker=broker, dsn=dsn) as world:
        world.start_worker()
        world.ask("a", "meter", "tear", how="lost")
        world.ask("a", "meter", "prick", mg_dl=133, meal="fasting")
        gateway = world.start_gateway(HOME)

        def stored() -> list[tuple[str | None, bool]]:
            return [
                (context.get("meal"), raw is not None)
                for context, raw in world.rows("select context, raw_context from reading")
            ]

        world.until(
            "the meal has come, to the same reading", lambda: stored() == [("fasting", True)], timeout_s=WAIT_S_MAX
        )
        assert world.rows("select count(*) from observation") == [(1,)]
        assert world.rows("select count(*) from held") == [(0,)]
        ended = [json.loads(line) for line in gateway.log.read_text().splitlines() if "session_ended" in line]
        assert [line["new"] for line in ended][:2] == [1, 1], "it travelled without its meal, and again with it"
