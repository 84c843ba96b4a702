"""The box as the person who stands at it meets it: `status` and `display` beside a real gateway, broker and devices.

*Sent* is a promise to an old person that her care team has the reading. The story here is the one moment in which a
product is tempted to break it: the broker has said yes, and the cloud has not.
"""

import json
import signal
import subprocess
import sys
from typing import Any

from gateway.display import STOPPED, WORDS
from gateway.health import PatientState
from tests.services.test_gateway_home import CUFF, Home, home, readings, until
from tests.support.fake_worker import FakeWorker, silent, stored, worker
from tests.support.leaks import leaked

__all__ = ["home", "worker"]


def said(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    """What `rpm-gateway` says to a person who types these words."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *words, home.config], capture_output=True, text=True, timeout=30, check=False
    )


def shown(home: Home) -> str:
    return said(home, "display", "--once").stdout.strip()


def condition(home: Home) -> tuple[int, dict[str, Any]]:
    done = said(home, "status", "--json")
    return done.returncode, json.loads(done.stdout)


def wrong(home: Home) -> list[str]:
    return [finding["subject"] for finding in condition(home)[1]["findings"] if finding["remedy"]]


def test_sent_is_shown_when_the_cloud_has_committed_and_no_sooner(home: Home, worker: FakeWorker) -> None:
    """F12: the broker's yes (PUBACK) is not the cloud's."""
    worker.answer = silent
    worker.join()
    home.start()
    until("it is ready", lambda: shown(home) == WORDS[PatientState.SEARCHING])
    home.ask("cuff", "measure", systolic=151, diastolic=92, mean=111, pulse=77)
    until("the worker has it, so the broker had it", lambda: CUFF in readings(worker))
    until("it is kept", lambda: shown(home) == WORDS[PatientState.KEPT])
    assert {shown(home) for _ in range(5)} == {WORDS[PatientState.KEPT]}, "not sent, whatever the broker says"
    worker.answer = stored
    until("the cloud has it", lambda: shown(home) == WORDS[PatientState.SENT])


def test_status_reads_well_beside_a_running_gateway_and_names_what_is_wrong_when_it_is_gone(
    home: Home, worker: FakeWorker
) -> None:
    assert (shown(home), condition(home)[0], wrong(home)) == (STOPPED, 1, ["program"])
    worker.join()
    home.start()
    home.ask("cuff", "measure", systolic=151, diastolic=92, mean=111, pulse=77)
    until("it is confirmed", lambda: "last confirmed" in said(home, "status").stdout)
    done = said(home, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("gw-home-a: WELL\n")
    assert "cuff in the kitchen" in done.stdout
    assert leaked(done.stdout, "151", "92", "111", CUFF) == [], "it may be read out to anybody: no value, no address"
    home.end(signal.SIGKILL)
    assert (shown(home), condition(home)[0], wrong(home)) == (STOPPED, 1, ["program"])


def test_a_gateway_that_hangs_is_told_from_one_that_is_gone(home: Home, worker: FakeWorker) -> None:
    worker.join()
    home.start()
    until("it answers", lambda: condition(home)[1]["pulse"] is not None)
    assert home._gateway is not None
    home._gateway.send_signal(signal.SIGSTOP)
    status, told = condition(home)
    home._gateway.send_signal(signal.SIGCONT)
    assert (status, told["findings"][0]["told"]) == (1, "it runs, but does not answer")
