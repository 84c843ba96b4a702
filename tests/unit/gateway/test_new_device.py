"""A device is added to settings that people wrote: what they wrote stays, and a file that cannot be used is never left."""

import os
import stat
from pathlib import Path

import pytest

from gateway.errors import UserError
from gateway.new_device import append, table
from gateway.settings import read_settings
from schemas.codes import Kind
from tests.unit.gateway.test_settings import GOOD, write

SCALE = "C0:00:00:00:10:02"
LABELS = ["scale", 'Nonna\'s "old" scale', "Waage im Flur – links", r"back\slash", "# no comment", "𝟛"]


@pytest.mark.parametrize("label", LABELS)
def test_what_was_added_is_read_as_it_was_meant(tmp_path: Path, label: str) -> None:
    path = write(tmp_path, GOOD + "# a note of the installer's")
    append(path, table(address=SCALE, kind=Kind.BODY_WEIGHT, label=label))
    added = read_settings(path).device[-1]
    assert (added.address, added.kind, added.label) == (SCALE, Kind.BODY_WEIGHT, label)
    assert path.read_text().startswith(GOOD + "# a note of the installer's\n"), "what people wrote stays"
    assert [each.name for each in tmp_path.iterdir()] == ["home.toml"]


def test_the_file_keeps_its_mode(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.chmod(0o640)
    append(path, table(address=SCALE, kind=Kind.BODY_WEIGHT, label="scale"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real = write(tmp_path, GOOD)
    link = tmp_path / "link.toml"
    link.symlink_to(real)
    append(link, table(address=SCALE, kind=Kind.BODY_WEIGHT, label="scale"))
    assert link.is_symlink()
    assert len(read_settings(real).device) == 2


@pytest.mark.parametrize(
    "text, told",
    [
        (table(address="C0:00:00:00:10:01", kind=Kind.GLUCOSE, label="twice"), "is listed twice"),
        ('[[device]]\naddress = "nonsense"\n', "device.1.address"),
        ("[[device\n", "is not TOML"),
    ],
)
def test_what_would_make_the_file_unusable_is_refused_and_changes_nothing(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, GOOD)
    with pytest.raises(UserError, match=told) as refused:
        append(path, text)
    assert str(refused.value).startswith(f"{path}")
    assert str(refused.value).endswith("nothing was changed")
    assert path.read_text() == GOOD
    assert [each.name for each in tmp_path.iterdir()] == ["home.toml"]


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot change .*: No such file"):
        append(tmp_path / "nowhere.toml", "x")


def test_a_label_of_two_lines_is_refused() -> None:
    with pytest.raises(UserError, match="one line"):
        table(address=SCALE, kind=Kind.GLUCOSE, label="two\nlines")


def test_until_the_new_file_is_whole_the_old_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up, or a cut, before the last step: the old file is there, byte for byte."""
    path = write(tmp_path, GOOD)

    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        append(path, table(address=SCALE, kind=Kind.BODY_WEIGHT, label="scale"))
    assert path.read_text() == GOOD
