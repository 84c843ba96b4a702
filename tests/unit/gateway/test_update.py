"""Which box takes which release when, and that no power cut leaves a box between two versions.

Method of the cuts: an update is run again and again, and each time broken off before one more of the calls that change the disk;
then it is run as the next start would. Environments are folders here; real ones are made in tests/services/test_update.py.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.errors import UserError
from gateway.health import PatientState
from gateway.pulse import NoPulse, Pulse
from gateway.update import trial
from gateway.update.make import make
from gateway.update.release import Release, trusted_key, verify
from gateway.update.rollout import bucket as place_of
from gateway.update.rollout import may_install, proven
from gateway.update.slots import Slots
from gateway.update.trial import Outcome, Result, Updater
from tests.support.small_release import Maker
from tests.unit.gateway.test_condition import NOON, but

OLD, NEW = Release(version="0.1.0", number=1, stage_percent=100), Release(version="0.2.0", number=2, stage_percent=100)
RUNS = but(version="0.2.0", heartbeat_taken_at=NOON)
ROOM = 1 << 40


def decided(**facts: Any) -> tuple[bool, str]:
    usual: dict[str, Any] = {
        "installed": OLD,
        "gateway_id": "gw-home-a",
        "pulse": RUNS,
        "trials": 0,
        "free_bytes": ROOM,
    }
    decision = may_install(facts.pop("release", NEW), **{**usual, **facts})
    return decision.go, decision.reason


@pytest.mark.parametrize(
    "facts, reason",
    [
        ({"release": OLD}, "nothing newer"),
        ({"release": NEW.model_copy(update={"number": 0})}, "nothing newer"),
        ({"trials": 3}, "taken back each time"),
        ({"release": NEW.model_copy(update={"stage_percent": 0})}, "its turn is later"),
        ({"pulse": NoPulse.NOT_RUNNING}, "not known"),
        ({"pulse": but(connected=False)}, "the line is down"),
        ({"pulse": but(outbox_depth=101)}, "101 readings wait"),
        ({"pulse": but(outbox_depth=1, outbox_oldest_s=3601.0)}, "1 readings wait"),
        ({"free_bytes": (300 << 20) - 1}, "MiB are free"),
    ],
)
def test_a_box_is_held_back_and_says_why(facts: dict[str, Any], reason: str) -> None:
    go, told = decided(**facts)
    assert not go
    assert reason in told


@pytest.mark.parametrize("facts", [{}, {"trials": 2}, {"pulse": but(outbox_depth=100, outbox_oldest_s=3600.0)}])
def test_a_box_whose_turn_it_is_goes(facts: dict[str, Any]) -> None:
    assert decided(**facts)[0]


@pytest.mark.parametrize("percent, boxes", [(1, 100), (10, 1_000), (100, 10_000)])
def test_a_stage_is_of_as_many_boxes_as_it_says_and_holds_those_of_the_stage_before(percent: int, boxes: int) -> None:
    taking = [n for n in range(10_000) if place_of(f"gw-{n}", "0.2.0") < percent]
    assert len(taking) == pytest.approx(boxes, rel=0.25)
    others = [n for n in range(10_000) if place_of(f"gw-{n}", "0.3.0") < percent]
    assert percent == 100 or taking != others, "the first are not the same each time"


@pytest.mark.parametrize(
    "pulse, reason",
    [
        (NoPulse.HANGS, "does not answer"),
        (NoPulse.NOT_RUNNING, "does not run"),
        (but(version="0.1.0", heartbeat_taken_at=NOON), "version 0.1.0 runs"),
        (but(version="0.2.0"), "no heartbeat"),
        (but(version="0.2.0", heartbeat_taken_at=NOON, scanning=False), "does not hear"),
        (but(version="0.2.0", heartbeat_taken_at=NOON, uptime_s=59.0), "long enough"),
    ],
)
def test_a_version_has_not_proven_itself(pulse: Pulse | NoPulse, reason: str) -> None:
    decision = proven(pulse, version="0.2.0", settled_s=60.0, listened=True)
    assert (decision.go, reason in decision.reason) == (False, True)


def test_a_version_is_not_blamed_for_a_radio_that_was_dead_before_it() -> None:
    deaf = but(version="0.2.0", heartbeat_taken_at=NOON, scanning=False)
    assert proven(deaf, version="0.2.0", settled_s=60.0, listened=False).go


class Cut(BaseException):
    """The power is gone."""


class Power:
    """Goes off before the call with the number `after`."""

    def __init__(self, after: int) -> None:
        self.calls = 0
        self._after = after

    def over(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **settings: Any) -> Any:
            self.calls += 1
            if self.calls > self._after:
                raise Cut
            return call(*arguments, **settings)

        return counted


CHANGES = ("replace", "rename", "symlink", "unlink", "rmdir", "mkdir", "sync", "fsync")


def box(folder: Path, offered: Path) -> Path:
    """A box on which 0.1.0 works, and 0.2.0 is offered; where its versions are."""
    root = folder / "rpm"
    (root / "versions" / "0.1.0").mkdir(parents=True)
    (root / "versions" / "0.1.0" / "release.json").write_text(OLD.model_dump_json())
    for name in ("current", "good"):
        (root / name).symlink_to("versions/0.1.0")
    assert offered.is_dir()
    return root


def updater(root: Path, pulse: Callable[[], Pulse | NoPulse]) -> Updater:
    return Updater(
        slots=Slots(root),
        root=root,
        config=root / "gateway.toml",
        gateway_id="gw-home-a",
        ask=pulse,
        told=lambda _line: None,
        trial_s=0.0,
        settled_s=0.0,
    )


def made(self: Updater, release: Release, copy: Path) -> None:
    """An environment without the half minute it takes: a folder, made whole by the product's own last step."""
    self.slots.folder(release.version).mkdir(parents=True, exist_ok=True)
    self.slots.make_whole(release.version, copy / "release.json")


def accepted(_self: Updater, _version: str) -> None:
    """It can use this home's settings."""


@pytest.mark.parametrize("works", [True, False])
def test_whenever_the_power_goes_the_next_start_ends_with_one_whole_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, works: bool
) -> None:
    monkeypatch.setattr(trial, "RESTART", ("true",))
    monkeypatch.setattr(Updater, "_make", made)
    monkeypatch.setattr(Updater, "_check", accepted)
    maker = Maker(Ed25519PrivateKey.generate())
    key = maker.key.public_key()
    offered = maker.release(tmp_path / "release", 2)
    cuts, results = 0, set[Result]()
    while True:
        root = box(tmp_path / f"{cuts}", offered)
        slots = Slots(root)

        def pulse(slots: Slots = slots) -> Pulse:
            version = slots.version("current")
            return but(version=version, heartbeat_taken_at=NOON if works or version == "0.1.0" else None)

        power = Power(cuts)
        with monkeypatch.context() as patched:
            for name in CHANGES:
                patched.setattr(os, name, power.over(getattr(os, name)))
            try:
                updater(root, pulse).run(offered, lambda: key)
                uncut = True
            except Cut:
                uncut = False
        # The machine starts: what runs is a whole version, whatever the moment was.
        assert slots.is_whole(slots.version("current"))
        assert slots.is_whole(slots.version("good"))
        assert slots.version("good") == "0.1.0" or works
        end: Outcome | None = None
        for _ in range(2):
            end = updater(root, pulse).run(offered, lambda: key)
        assert end is not None
        results.add(end.result)
        assert slots.on_trial is None
        assert slots.version("current") == ("0.2.0" if works else "0.1.0")
        assert sorted(path.name for path in root.glob("incoming-*")) == []
        cuts += 1
        if uncut:
            break
    assert cuts > 10, "there were moments to cut"
    assert results <= {Result.HELD, Result.KEPT, Result.TAKEN_BACK}


def test_a_device_that_is_being_listened_to_is_not_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_make", "_check"):
        monkeypatch.setattr(Updater, name, made if name == "_make" else accepted)
    monkeypatch.setattr(trial, "LOOK_EVERY_S", 0.0)
    maker = Maker(Ed25519PrivateKey.generate())
    offered = maker.release(tmp_path / "release", 2)
    root = box(tmp_path, offered)
    slots = Slots(root)
    measuring = [PatientState.MEASURING] * 3
    restarted_while: list[int] = []

    def restart(_self: Updater) -> None:
        restarted_while.append(len(measuring))

    monkeypatch.setattr(Updater, "_restart", restart)

    def pulse() -> Pulse:
        state = measuring.pop() if measuring else PatientState.SEARCHING
        return but(version=slots.version("current"), heartbeat_taken_at=NOON, state=state)

    assert updater(root, pulse).run(offered, maker.key.public_key).result is Result.KEPT
    assert restarted_while == [0]


def test_a_release_is_made_of_wheels_and_read_again(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    folder = Maker(key).release(tmp_path / "release", 7)
    private = tmp_path / "private.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    later = make(folder, number=7, stage_percent=10, key_file=private)
    public = Maker(key).public(tmp_path / "public.pem")
    assert verify(folder, trusted_key(public)) == later == Release(version="0.7.0", number=7, stage_percent=10)


@pytest.mark.parametrize("line", ["../outside", "/etc/passwd", "wheels/../../x"])
def test_a_list_that_leads_out_of_the_folder_is_refused_though_it_is_signed(tmp_path: Path, line: str) -> None:
    key = Ed25519PrivateKey.generate()
    folder = Maker(key).release(tmp_path / "release", 1)
    sums = (folder / "SHA256SUMS").read_bytes() + b"0" * 64 + b"  " + line.encode() + b"\n"
    (folder / "SHA256SUMS").write_bytes(sums)
    (folder / "SHA256SUMS.sig").write_bytes(key.sign(sums))
    with pytest.raises(UserError, match="none of its own"):
        verify(folder, key.public_key())


def test_a_key_of_another_kind_and_no_key_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(UserError, match="holds no public key"):
        trusted_key(tmp_path / "key.pem")
    with pytest.raises(UserError, match="cannot read the key"):
        trusted_key(tmp_path / "nowhere.pem")
