"""What a box decides about its certificate, and that its folder is whole whatever instant the power goes at.

Method: decisions are asked at the instants around each limit. The disk is cut off before each of its operations in turn, as a
power cut would; then the box starts again and must come to a certificate that belongs to its key, without a second code.
"""

import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway import small_file
from gateway.identity.certificate import Certificate, belong_together, new_key, read_certificate, signing_request
from gateway.identity.folder import IdentityFolder, IdentityUnusable
from gateway.identity.standing import RENEW_AT, RENEW_SPREAD, State, shown_next, standing, why_renew
from schemas.enrolment import Certified, EnrolRequest
from tests.support.certifier import Authority, Certifier

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LIFE = timedelta(days=90)
CODE = "7K2M-9QXA-B3TD-01ZE"
CLOUD = "https://clinic.example"


def public(key: bytes) -> ec.EllipticCurvePublicKey:
    loaded = load_pem_private_key(key, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    return loaded.public_key()


def certificate(mark: float = 0.0) -> Certificate:
    return Certificate(gateway_id="gw-home-a", not_before=BEGIN, not_after=BEGIN + LIFE, mark=mark)


@pytest.mark.parametrize(
    "days, state",
    [
        (-1, State.NOT_YET_VALID),
        (0, State.GOOD),
        (59.9, State.GOOD),
        (60, State.DUE),
        (89.9, State.DUE),
        (90, State.EXPIRED),
    ],
)
def test_a_certificate_is_due_at_two_thirds_of_its_life(days: float, state: State) -> None:
    found = standing(certificate(), now=BEGIN + timedelta(days=days))
    assert found.state is state
    assert found.reason
    assert found.renew_at == BEGIN + timedelta(days=60)


def test_a_box_that_boots_in_1970_is_told_apart_from_one_whose_time_is_over() -> None:
    found = standing(certificate(), now=datetime(1970, 1, 1, tzinfo=UTC))
    assert found.state is State.NOT_YET_VALID
    assert "clock" in found.reason


def test_a_hundred_boxes_of_one_day_do_not_renew_on_one_day() -> None:
    moments = sorted(standing(certificate(mark / 100), now=BEGIN).renew_at - BEGIN for mark in range(100))
    assert moments[0] == LIFE * RENEW_AT
    assert LIFE * (RENEW_AT + RENEW_SPREAD * 0.98) < moments[-1] < LIFE * (RENEW_AT + RENEW_SPREAD)
    in_one_hour = max(sum(abs(other - each) < timedelta(hours=1) for other in moments) for each in moments)
    assert in_one_hour <= 3


def test_the_mark_is_the_certificates_own() -> None:
    authority = Authority("gateways")
    keys = [public(new_key()) for _ in range(8)]
    pems = [authority.certify(key, "gw-home-a", begins=BEGIN, life=LIFE).encode() for key in keys]
    marks = [read_certificate(pem).mark for pem in pems]
    assert len(set(marks)) == 8
    assert all(0 <= mark < 1 for mark in marks)
    assert marks == [read_certificate(pem).mark for pem in pems]


@pytest.mark.parametrize(
    "newest, proven, refusals, shown",
    [
        (1, None, 5, 1),  # there is no other
        (2, 2, 5, 2),
        (2, 1, 0, 2),
        (2, 1, 1, 2),  # a broker that is stopped while it greets looks the same
        (2, 1, 2, 1),
        (2, 1, 3, 2),  # the old one's end will come: the new one gets its turn
        (2, 1, 4, 1),
    ],
)
def test_a_new_certificate_that_is_refused_takes_turns_with_the_old_one(
    newest: int, proven: int | None, refusals: int, shown: int
) -> None:
    assert shown_next(newest=newest, proven=proven, refusals=refusals) == shown


@pytest.mark.parametrize(
    "days, refusals, untried, asks",
    [
        (1, 0, False, False),
        (1, 2, False, False),
        (1, 3, False, True),
        (1, 2, True, True),
        (61, 0, False, True),
        (91, 0, False, True),
        (-1, 9, False, False),  # its clock is wrong: no signature of this box would be believed
    ],
)
def test_why_another_certificate_is_asked_for(days: float, refusals: int, untried: bool, asks: bool) -> None:  # noqa: FBT001
    stands = standing(certificate(), now=BEGIN + timedelta(days=days))
    assert (why_renew(stands, refusals=refusals, untried=untried) is not None) == asks


# The folder


def cloud() -> Certifier:
    gateways = Authority("gateways", begins=BEGIN)
    return Certifier(gateways, gateways.pem, "mqtts://clinic.example", {CODE: "gw-home-a"}, begins=lambda: BEGIN)


def enrol(folder: IdentityFolder, at: Certifier) -> None:
    csr = signing_request(folder.next_key())
    certified = at.answer("/gateway/enrol", EnrolRequest(claim_code=CODE, csr=csr).model_dump_json().encode())
    assert isinstance(certified, Certified), "the same box with the same code is answered again"
    folder.install(certified, cloud=CLOUD, cloud_ca=None, keep_proven=False)


class PowerCut(BaseException):
    """The power goes."""


@contextmanager
def power_cut_before(operation: int, monkeypatch: pytest.MonkeyPatch) -> Generator[list[str]]:
    """Let so many operations on the disk happen, and no further one. What was done is told."""
    done: list[str] = []

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if len(done) == operation:
                raise PowerCut
            done.append(name)
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        for module, name in ((os, "open"), (os, "fsync"), (Path, "replace"), (Path, "mkdir")):
            patched.setattr(module, name, counted(name, getattr(module, name)))
        yield done


def test_the_power_goes_at_any_instant_of_an_enrolment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for operation in range(200):
        folder, at = IdentityFolder(tmp_path / str(operation)), cloud()
        with power_cut_before(operation, monkeypatch) as done:
            try:
                enrol(folder, at)
            except PowerCut:
                cut = True
            else:
                cut = False
        if cut and folder.known() is None:
            enrol(folder, at)
        known = folder.known()
        assert known is not None
        pair = folder.pair(known.newest)
        assert belong_together(pair.key.read_bytes(), pair.certificate.read_bytes())
        assert len({certified.certificate for certified in at.given}) == 1, "one code, one certificate"
        if not cut:
            assert done.count("replace") == 5, "a key, three files of its certificate, and the state that names them"
            return
    raise AssertionError("it never came to an end")


def test_the_power_goes_at_any_instant_of_a_renewal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every start there is a pair that belongs together, and the old one stays until the new one has worked."""
    for operation in range(200):
        folder, at = IdentityFolder(tmp_path / str(operation)), cloud()
        enrol(folder, at)
        folder.prove(1)
        first = folder.pair(1).certificate.read_bytes()
        with power_cut_before(operation, monkeypatch):
            try:
                renew(folder, at)
            except PowerCut:
                cut = True
            else:
                cut = False
        known = folder.known()
        assert known is not None
        assert known.proven == 1
        for number in {known.newest, known.proven}:
            pair = folder.pair(number)
            assert belong_together(pair.key.read_bytes(), pair.certificate.read_bytes())
        assert folder.pair(1).certificate.read_bytes() == first
        if not cut:
            assert known.newest == 2
            assert folder.prove(2)
            assert not folder.prove(2), "told once"
            assert sorted(path.name for path in folder.path.iterdir()) == ["2", "state.json"]
            return
    raise AssertionError("it never came to an end")


def renew(folder: IdentityFolder, at: Certifier) -> None:
    key = public(folder.next_key())
    certified = at.given[0].model_copy(
        update={"certificate": at.gateways.certify(key, "gw-home-a", begins=BEGIN, life=LIFE)}
    )
    folder.install(certified, cloud=CLOUD, cloud_ca=None, keep_proven=True)


def test_a_key_is_made_here_and_nobody_else_reads_it(tmp_path: Path) -> None:
    folder = IdentityFolder(tmp_path / "identity")
    key = folder.next_key()
    assert folder.next_key() == key, "the one that was made and not certified yet"
    assert stat.S_IMODE((folder.path / "1" / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert b"PRIVATE" not in signing_request(key).encode()


def test_a_key_that_the_disk_spoilt_before_it_was_certified_is_made_anew(tmp_path: Path) -> None:
    folder = IdentityFolder(tmp_path / "identity")
    key = folder.next_key()
    (folder.path / "1" / "key.pem").write_bytes(key[:-40])
    assert folder.next_key() != key
    enrol(folder, cloud())


def test_an_answer_for_another_key_or_another_name_is_not_taken(tmp_path: Path) -> None:
    folder, at = IdentityFolder(tmp_path / "identity"), cloud()
    folder.next_key()
    other = public(new_key())
    strange = at.gateways.certify(other, "gw-home-a", begins=BEGIN, life=LIFE)
    facts = {"gateway_id": "gw-home-a", "not_after": BEGIN + LIFE, "broker_url": "mqtts://c.example"}
    facts |= {"broker_ca": at.broker_ca, "time_zone": "America/New_York"}
    with pytest.raises(IdentityUnusable, match="key and name"):
        folder.install(
            Certified.model_validate(facts | {"certificate": strange}), cloud=CLOUD, cloud_ca=None, keep_proven=False
        )
    assert folder.known() is None
    own = public(folder.next_key())
    named = at.gateways.certify(own, "gw-home-b", begins=BEGIN, life=LIFE)
    with pytest.raises(IdentityUnusable, match="key and name"):
        folder.install(
            Certified.model_validate(facts | {"certificate": named}), cloud=CLOUD, cloud_ca=None, keep_proven=False
        )


def test_a_spoilt_new_pair_leaves_the_proven_one(tmp_path: Path) -> None:
    folder, at = IdentityFolder(tmp_path / "identity"), cloud()
    enrol(folder, at)
    folder.prove(1)
    renew(folder, at)
    (folder.path / "2" / "place.json").write_bytes(b"\0\0\0")
    assert folder.usable(2, 1).number == 1
    (folder.path / "1" / "place.json").unlink()
    with pytest.raises(IdentityUnusable, match="enrol this box anew"):
        folder.usable(2, 1)


def test_the_smallest_file_is_whole_or_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facts"
    small_file.write_whole(path, b"before")
    for operation in range(4):
        with power_cut_before(operation, monkeypatch), pytest.raises(PowerCut):
            small_file.write_whole(path, b"after")
        assert path.read_bytes() == (b"before" if operation < 3 else b"after")
        small_file.write_whole(path, b"before")
