"""`rpm-cloud demo`."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def demo(
        *,
        once: Annotated[
            bool, typer.Option("--once", help="End as soon as the first alert is on the worklist.")
        ] = False,
    ) -> None:
        """Three homes, a clinic and its servers on this machine, with virtual people; Ctrl-C ends it.

        TSDB_DSN (an empty database) and RPM_BROKER_URL name servers of your own; a broker of your own must know the
        accounts gw-home-a, gw-home-b and gw-home-c with the password of that URL.
        """
        from rpm.demo.run import run

        run(once=once)
