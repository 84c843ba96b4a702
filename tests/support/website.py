"""The pages served for real: uvicorn in a thread of this process, on the test's own clock."""

import socket
import threading
import time
from typing import Final, Self

from rpm.settings import Settings
from rpm.store.database import Clock, Database
from rpm.web.app import create_app
from rpm.web.server import PageServer

READY_S_MAX: Final = 30.0


class Website:
    """Use as a context manager. `url` is its address (`port` 0: any); `stop` and `start` make it vanish and come back there."""

    def __init__(self, database: Database, clock: Clock, *, settings: Settings | None = None, port: int = 0) -> None:
        self._database, self._clock = database, clock
        self._settings = settings or Settings(dsn=database.dsn)
        self._server: PageServer | None = None
        self._thread: threading.Thread | None = None
        self._port = port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`, or https where it has a certificate."""
        return f"{'https' if self._settings.web_certificate else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Serve, on the same port as before."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        app = create_app(self._database, self._settings, self._clock)
        self._server = PageServer(app)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + READY_S_MAX
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self._server.started, "the pages did not start"
        return self

    def stop(self) -> None:
        """Serve no more: open streams end."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=READY_S_MAX)
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
