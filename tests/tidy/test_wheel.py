"""What is installed is whole: every template, statement, migration and rule file travels, and nothing of the tests.

Method: build the wheel from a copy of the tree, offline, and compare its list with git's.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.provisioning import ROOT
from tests.support.tree import PACKAGES, files

WHEEL = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]


def test_a_wheel_carries_every_file_of_the_packages_and_no_other(tmp_path: Path) -> None:
    for path in files():
        target = tmp_path / "tree" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
    built = subprocess.run(
        [*WHEEL, "--wheel-dir", tmp_path / "wheel", tmp_path / "tree"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {path.as_posix() for path in files() if path.parts[0] in PACKAGES}
    assert wanted - carried == set()
    assert carried - wanted == set()
