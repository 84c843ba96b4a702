"""`rpm-cloud demo`: set everything up, run it, say what to watch, and end what was started."""

import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from rpm.demo.homes import gateway_settings
from rpm.demo.mail import MailSink
from rpm.demo.processes import Child, Household, free_port, page_answers, port_answers
from rpm.demo.seed import PASSWORD, PRACTICE, STAFF, gateway_of_home, read_cohort, seed_practice
from rpm.demo.servers import ROOT, start_broker, start_database
from rpm.errors import UserError
from rpm.store import seed
from rpm.store.database import Database
from rpm.store.migrate import upgrade

FOLDER: Final = ROOT / ".local" / "demo"
COHORT_SEED: Final = 7
PRACTICE_TIME_ZONE: Final = "America/New_York"
PORT_PREFERRED: Final = 8080
READY_S_MAX: Final = 60.0
#: The promise of the README; past it the demo says where to look instead of waiting in silence.
FIRST_ALERT_S_MAX: Final = 180.0
LOOK_EVERY_S: Final = 0.5


def run(*, once: bool = False) -> None:
    """Run the demo until Ctrl-C; with `once`, until the first alert is on the worklist. UserError says what to do."""
    began = time.monotonic()
    console = Console(highlight=False, soft_wrap=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell that started us had it ignored
        signal.signal(number, signal.default_int_handler)
    with Household() as household:
        url, database, started_at = _set_up(household, console)
        try:
            _tell(console, url)
            _await_first_alert(console, household, database, started_at, began)
            while not once:
                _still_alive(household)
                time.sleep(LOOK_EVERY_S)
        except KeyboardInterrupt:
            console.print("\nending what was started …")
        finally:
            database.close()
    console.print("all ended. Logs are in .local/demo.")


def _set_up(household: Household, console: Console) -> tuple[str, Database, datetime]:
    columns = TextColumn("{task.description:<44}"), BarColumn(bar_width=24), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:

        def step(description: str) -> Callable[[float], None]:
            """A line of progress: call it with the share that is done."""
            task = progress.add_task(description, total=1.0)
            return lambda share: progress.update(task, completed=share)

        done = step("database (TimescaleDB)")
        dsn, ours = start_database(household)
        done(1)
        done = step("tables")
        upgrade(dsn)
        done(1)
        done = step("twelve patients and their last 60 days")
        today = datetime.now(ZoneInfo(PRACTICE_TIME_ZONE)).date().isoformat()
        cohort = _cohort(today)
        database = Database(dsn).open()
        household.afterwards(database.close)
        if ours or _empty(database):
            seed_practice(database, cohort, now=database.clock(), progress=done)
        done(1)
        done = step("broker (Mosquitto)")
        homes = {home: [d for d in cohort["devices"] if d["home"] == home] for home in _homes(cohort)}
        broker = start_broker(household, FOLDER, tuple(gateway_of_home(home) for home in homes))
        done(1)
        done = step("cloud: worker, pages, mail")
        mail = MailSink(free_port(), lambda to, subject: console.print(f"  ✉  to {to}: {subject}")).start()
        household.afterwards(mail.stop)
        url = _cloud(household, dsn, broker.worker_url, mail.url)
        done(1)
        done = step("the air: virtual cuffs, scales, meters")
        started_at = database.clock()
        hci = _air(household, today)
        done(1)
        done = step(f"{len(homes)} homes, a gateway each")
        for number, (home, devices) in enumerate(homes.items(), start=1):
            config = gateway_settings(home, devices, broker=broker, hci_port=hci[home], folder=FOLDER)
            name = gateway_of_home(home)
            child = Child(name, [sys.executable, "-m", "gateway", "run", str(config)], FOLDER / f"{name}.log")
            household.start(child)
            done(number / len(homes))
    return url, database, started_at


def _empty(database: Database) -> bool:
    """Whether a database of the user's own is to be seeded; UserError where it holds somebody's practice."""
    with database.transaction() as connection:
        names = seed.practices(connection)
    if names and names != [PRACTICE]:
        raise UserError("the database TSDB_DSN names holds another practice: give the demo an empty database")
    return not names


def _virtual(*arguments: str) -> None:
    """Run one command of the virtual people to its end. They are a program of their own: only files come back."""
    child = Child("virtual", [sys.executable, "-m", "devices.virtual", *arguments], FOLDER / "virtual.log").start()
    assert child.process is not None
    if child.process.wait(READY_S_MAX):
        raise UserError(f"making the virtual people failed:\n{child.last_words()}")


def _cohort(today: str) -> dict[str, Any]:
    path = FOLDER / "cohort.json"
    _virtual("practice", "--seed", str(COHORT_SEED), "--until", today, "--out", str(path))
    return read_cohort(path)


def _homes(cohort: dict[str, Any]) -> list[str]:
    return sorted({device["home"] for device in cohort["devices"] if device["home"] is not None})


def _air(household: Household, today: str) -> dict[str, int]:
    """Start the air; the controller port of each home."""
    scenario = FOLDER / "scenario.toml"
    _virtual(
        "scenario", "--demo", "--seed", str(COHORT_SEED), "--until", today, "--hci-port", "0", "--out", str(scenario)
    )
    arguments = ["-m", "devices.virtual", "air", "--scenario", str(scenario), "--ledger", str(FOLDER / "ledger")]
    air = household.start(Child("air", [sys.executable, *arguments], FOLDER / "air.log"))
    household.wait_until("starting the air", lambda: _told(air.log) is not None, child=air, timeout_s=READY_S_MAX)
    told = _told(air.log)
    assert told is not None
    return {home: facts["hci"] for home, facts in told["homes"].items()}


def _told(log: Path) -> dict[str, Any] | None:
    line = next((line for line in log.read_text("utf-8").splitlines() if line.startswith('{"ready"')), None)
    return None if line is None else json.loads(line)


def _cloud(household: Household, dsn: str, broker_url: str, mail_url: str) -> str:
    port = PORT_PREFERRED if not port_answers(PORT_PREFERRED) else free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "RPM_DSN": dsn,
        "RPM_BROKER_URL": broker_url,
        "RPM_MAIL_URL": mail_url,
        "RPM_PUBLIC_URL": url,
        "RPM_WEB_HOST": "127.0.0.1",
        "RPM_WEB_PORT": str(port),
    }
    program = [sys.executable, "-m", "rpm"]
    household.start(Child("worker", [*program, "worker"], FOLDER / "worker.log", environment))
    pages = household.start(Child("pages", [*program, "serve", "--web-only"], FOLDER / "pages.log", environment))
    household.wait_until("starting the pages", lambda: page_answers(port), child=pages, timeout_s=READY_S_MAX)
    return url


def _tell(console: Console, url: str) -> None:
    people = "\n".join(f"    {username:<7} {role:<7} {shown}" for username, shown, role in STAFF)
    console.print(f"""
  [bold]{PRACTICE}[/bold] is open at [bold]{url}[/bold]

  Sign in; the password of everybody is [bold]{PASSWORD}[/bold] (two browsers show two nurses at once):
{people}

  The clocks are real, the people are not: they measure every minute or so. Watch
    - the worklist as rosa: a blood pressure of 192/118, a weight 4 lb above yesterday's, a low glucose; it updates by itself
    - mail to the nurse on call below, as it leaves; acknowledge the alert, and it stops
    - a patient's page: the trend, the limits, where each number comes from; start the timer, call, close the alert
    - Held readings: what nobody is known to own, and what is not believed, each with its reason
    - Faults as sam: who and what has fallen silent, and the likeliest cause
    - the bill as bella: days and minutes, which codes they support, and why not the others

  Ctrl-C ends everything.
""")


def _await_first_alert(
    console: Console, household: Household, database: Database, since: datetime, began: float
) -> None:
    deadline = began + FIRST_ALERT_S_MAX
    while time.monotonic() < deadline:
        _still_alive(household)
        with database.transaction() as connection:
            if seed.opened_since(connection, since):
                console.print(
                    f"  ● the first alert is on the worklist, {time.monotonic() - began:.0f} s after the start\n"
                )
                return
        time.sleep(LOOK_EVERY_S)
    raise UserError(f"no alert after {FIRST_ALERT_S_MAX:.0f} s: look into the logs in .local/demo")


def _still_alive(household: Household) -> None:
    for child in household.children:
        if not child.running():
            raise UserError(f"{child.name} has ended. The end of its log ({child.log.name}):\n{child.last_words()}")
