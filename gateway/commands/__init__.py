"""The verbs of `rpm-gateway`: one module each, with `register(app)`."""

from pathlib import Path
from typing import Annotated

import typer

#: What every verb that acts on a home takes.
Config = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The home's settings: see gateway/README.md.")]
