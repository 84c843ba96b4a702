"""One replica: the loops of `rpm-cloud worker` that call and send, by the database's clock moved on as far as a file says.

`python -m tests.night.replica FILE`; settings as always (`RPM_DSN`, …). Whatever this machine thinks the time is does not matter.
"""

import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

from rpm.jobs import loops
from rpm.settings import read_settings
from rpm.store.database import Database


def main(moved_on: Path) -> None:
    """Until it is killed."""
    settings = read_settings()
    database = Database(settings.dsn).open()

    def clock() -> datetime:
        return database.clock() + timedelta(seconds=float(moved_on.read_text("utf-8")))

    for thread in loops.start(database, settings, threading.Event(), clock=clock, only=("escalate", "send")):
        thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
