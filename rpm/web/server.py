"""The server of the pages: uvicorn, which lets open streams end before it waits for anything."""

import socket
from typing import Final

import uvicorn
from fastapi import FastAPI

from rpm.settings import Settings
from rpm.web.live import Watcher

#: A request that has not ended by then is cut off when the server goes down.
SHUTDOWN_S_MAX: Final = 3


class PageServer(uvicorn.Server):
    """uvicorn for one application. A stream of `/live` never ends by itself, so it is told to when the server stops."""

    def __init__(self, app: FastAPI) -> None:
        settings: Settings = app.state.settings
        # No access log: an address can hold somebody's id.
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_S_MAX,
                ssl_certfile=settings.web_certificate,
                ssl_keyfile=settings.web_key,
            )
        )
        self._watcher: Watcher | None = getattr(app.state, "watcher", None)

    def leave(self) -> None:
        """Stop serving, from any thread."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        if self._watcher is not None:
            self._watcher.end_streams()
        await super().shutdown(sockets)
