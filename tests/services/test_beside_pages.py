"""What runs beside the pages and hangs ends their process for its supervisor, or is said and spared, as what it has to do asks for.

Method: `rpm-cloud serve --web-only`, and `rpm-cloud ca serve`, as they are started, of which one thing hangs; seconds in place
of minutes.
"""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rpm.demo.processes import free_port, page_answers
from rpm.identity.authority import Kind, make_authority, save
from rpm.jobs.watchdog import EXIT_HANGS
from rpm.outage import LISTS, Stage
from rpm.store.database import Database
from tests.support.sender import eventually

STARTED_S_MAX = 60.0
_HANGS = """
import sys, threading
from datetime import timedelta
from rpm.commands import ca
from rpm.commands.serve import serve
from rpm.jobs import loops, revoke, silence, watchdog
from rpm.web import live

def hangs(*_, **__):
    threading.Event().wait()

if sys.argv[2] == "silence":
    silence.Silences.turn = hangs
elif sys.argv[2] == "live-watcher":
    live.Watcher._look_once = hangs
elif sys.argv[2] == "revoke":
    revoke.run_once = hangs
loops.TURN_MAX = timedelta(seconds=4)
live.HANGS_AFTER_S = 4.0
watchdog.watch.__kwdefaults__["every_s"] = 0.5
serve(web_only=True) if sys.argv[1] == "serve" else ca.serve()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in Kind:
        save(make_authority(kind, now=datetime.now(UTC)), tmp_path)
    return tmp_path


class Pages:
    """The process, and what it logs."""

    def __init__(self, dsn: str, folder: Path, program: str, hanging: str) -> None:
        self.port = free_port()
        self.log = folder / "log"
        told = {"RPM_DSN": dsn, "RPM_WEB_PORT": str(self.port), "RPM_CA_FOLDER": str(folder)}
        told["RPM_GATEWAY_BROKER_URL"] = "mqtts://broker.example:8883"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _HANGS, program, hanging],
                env={**os.environ, **told}, stdout=output, stderr=output,
            )  # fmt: skip

    def said(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text("utf-8"))


@pytest.mark.parametrize(
    "program, hanging", [("serve", "silence"), ("serve", "live-watcher"), ("ca", LISTS)], ids=lambda word: word
)
def test_a_loop_beside_the_pages_that_hangs_ends_them_for_their_supervisor(
    dsn: str, folder: Path, program: str, hanging: str
) -> None:
    """Nobody would be missed, no page be live, no list be made: until somebody came."""
    pages = Pages(dsn, folder, program, hanging)
    try:
        assert pages.process.wait(STARTED_S_MAX) == EXIT_HANGS, pages.said()
    finally:
        pages.process.kill()
    assert re.search(rf"loop_hangs .*loop={hanging}$", pages.said(), re.MULTILINE), pages.said()


def test_a_maker_of_lists_that_hangs_spares_the_pages(dsn: str, folder: Path) -> None:
    """A list is good for a week; its maker is missed by name after a quarter of an hour."""
    pages = Pages(dsn, folder, "serve", LISTS)
    try:
        assert eventually(lambda: f"loop={LISTS}" in pages.said(), timeout_s=STARTED_S_MAX), pages.said()
        assert not eventually(lambda: pages.process.poll() is not None, timeout_s=3)
        assert page_answers(pages.port)
    finally:
        pages.process.kill()
        pages.process.wait()


def test_pages_of_which_nothing_hangs_go_on(database: Database, dsn: str, folder: Path) -> None:
    """Longer than the longest turn that is allowed here."""
    pages = Pages(dsn, folder, "serve", "nothing")
    try:
        assert eventually(lambda: page_answers(pages.port), timeout_s=STARTED_S_MAX), pages.said()
        assert not eventually(lambda: pages.process.poll() is not None, timeout_s=7), pages.said()
        assert "loop_hangs" not in pages.said()
        with database.transaction() as connection:
            rows = connection.execute("select stage from heartbeat").fetchall()
        assert {row["stage"] for row in rows} == {Stage.SILENCE, LISTS}
    finally:
        pages.process.kill()
        pages.process.wait()
