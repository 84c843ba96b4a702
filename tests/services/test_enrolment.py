"""How a box becomes a gateway, over real HTTPS with a plain client (F4, F8; feature F22).

Method: the pages' own server with a certificate of our own authority, a real database, a clock that is moved. What is
refused is checked in the database too: no certificate was signed. Every refusal must be a `Refusal`.
"""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from rpm import claiming
from rpm.enrolment import Registrar, enrol
from rpm.errors import UserError
from rpm.identity.authority import vouched
from rpm.identity.certificates import name_of
from rpm.identity.claims import CLAIM_WINDOW, TRIES_MAX, draw_code
from schemas.enrolment import ENROL_PATH, RENEW_PATH, Certified, EnrolRequest, Refusal, RefusalReason
from tests.support.box import Key, csr_of, new_key
from tests.support.clinic import Clinic
from tests.support.installation import BROKER_URL, Installation, refused

CSR = csr_of(new_key())


def test_a_box_with_a_code_gets_a_certificate_for_the_name_the_registry_has(installation: Installation) -> None:
    key = new_key()
    given = installation.office().enrol(installation.code().lower().replace("-", " "), csr_of(key, "#"))
    assert isinstance(given, Certified), given
    assert (given.gateway_id, given.broker_url) == (installation.gateway_id, BROKER_URL)
    assert given.broker_ca == (installation.folder / "services.crt").read_text()
    assert given.time_zone == "America/New_York"
    own, issuer = x509.load_pem_x509_certificates(given.certificate.encode())
    assert name_of(own) == installation.gateway_id, "not the # that the request asked for"
    assert vouched(own, installation.authority.certificate)
    assert issuer == installation.authority.certificate
    assert own.public_key() == key.public_key()
    assert given.not_after == own.not_valid_after_utc == installation.clock() + timedelta(days=90)
    assert own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False, "whatever was asked for"
    purposes = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_the_zone_is_the_homes_where_its_people_agree(installation: Installation) -> None:
    clinic = installation.clinic
    with clinic.database.transaction() as connection:
        connection.execute("update device set gateway_id = %s", [installation.gateway_id])
    maria = clinic.patient("Maria", "Alvarez")
    clinic.pressure(maria, 130, 80)
    with clinic.database.transaction() as connection:
        connection.execute("update patient set time_zone = 'Pacific/Honolulu'")
        connection.execute("update device set gateway_id = %s", [installation.gateway_id])
    _, given = installation.enrolled()
    assert given.time_zone == "Pacific/Honolulu"


def test_a_lost_answer_is_answered_again_and_another_key_gets_nothing(installation: Installation) -> None:
    code, key = installation.code(), new_key()
    first = installation.office().enrol(code, csr_of(key))
    installation.clock.forward(minutes=14)
    assert installation.office().enrol(code, csr_of(key)) == first
    assert refused(installation.office().enrol(code, csr_of(new_key()))) is RefusalReason.CLAIM_REFUSED
    assert installation.signed() == 1


@pytest.mark.parametrize("how", ["guessed", "late", "a newer one was made", "used by another", "not a code"])
def test_a_code_that_lets_nobody_in_is_refused_in_the_same_words(installation: Installation, how: str) -> None:
    code, signed = installation.code(), 0
    match how:
        case "guessed":
            code = draw_code()
        case "late":
            installation.clock.forward(seconds=CLAIM_WINDOW.total_seconds())
        case "a newer one was made":
            installation.code()
        case "used by another":
            installation.office().enrol(code, csr_of(new_key()))
            signed = 1
        case _:
            code = "7K2M"
    body = f'{{"claim_code": "{code}", "csr": {csr_of(new_key())!r}}}'.replace("'", '"')
    answer = installation.office().post(ENROL_PATH, body)
    assert answer.status_code == httpx.codes.FORBIDDEN
    refusal = Refusal.model_validate_json(answer.text)
    assert (refusal.reason, refusal.detail) == (
        RefusalReason.CLAIM_REFUSED,
        "This code lets nobody in: have a new one made, and use it within a quarter of an hour.",
    )
    assert installation.signed() == signed


def test_who_guesses_is_locked_out_and_a_sound_box_elsewhere_is_not(installation: Installation) -> None:
    guesser, database, now = (
        installation.office(address="127.0.0.2"),
        installation.clinic.database,
        installation.clock(),
    )
    registrar = Registrar(installation.authority, BROKER_URL, "", grant_wait_s=0.0)
    answers = [refused(guesser.enrol(draw_code(), CSR)) for _ in range(TRIES_MAX["address"])]
    assert set(answers) == {RefusalReason.CLAIM_REFUSED}
    for _ in range(1000):
        request = EnrolRequest(claim_code=draw_code(), csr=CSR)
        answer = enrol(database, registrar, request, address="127.0.0.2", now=now)
        assert refused(answer) is RefusalReason.TOO_MANY_TRIES
    code = installation.code()
    assert refused(guesser.enrol(code, csr_of(new_key()))) is RefusalReason.TOO_MANY_TRIES, "not even the right one"
    assert isinstance(installation.office(address="127.0.0.3").enrol(code, csr_of(new_key())), Certified)
    installation.clock.forward(minutes=16)
    assert isinstance(guesser.enrol(installation.code(), csr_of(new_key())), Certified), "a quarter of an hour later"


def test_a_code_that_many_addresses_try_is_locked(installation: Installation) -> None:
    code = installation.code()
    installation.office().enrol(code, csr_of(new_key()))
    answers = [refused(installation.office(address=f"127.0.1.{number}").enrol(code, CSR)) for number in range(1, 8)]
    assert answers == [RefusalReason.CLAIM_REFUSED] * 5 + [RefusalReason.TOO_MANY_TRIES] * 2


def test_two_boxes_with_one_code_at_once(installation: Installation) -> None:
    """The row is locked: whichever comes second finds the code used."""
    code = installation.code()
    requests = [csr_of(new_key()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(installation.office().enrol, code, csr) for csr in requests]
        answers = [each.result() for each in asked]
    assert sum(isinstance(answer, Certified) for answer in answers) == 1
    assert installation.signed() == 1


@pytest.mark.parametrize("csr", ["rsa", "p384", "garbage", "foreign signature"])
def test_a_request_that_cannot_be_signed_says_so_and_costs_no_code(installation: Installation, csr: str) -> None:
    code, key = installation.code(), new_key()
    wrong = {
        "rsa": lambda: csr_of(rsa.generate_private_key(65537, 2048)),
        "p384": lambda: csr_of(ec.generate_private_key(ec.SECP384R1())),
        "garbage": lambda: "-----BEGIN CERTIFICATE REQUEST-----\nMA==\n-----END CERTIFICATE REQUEST-----\n",
        "foreign signature": lambda: _foreign_signature(key),
    }[csr]()
    assert refused(installation.office().enrol(code, wrong)) is RefusalReason.BAD_CSR
    assert refused(installation.office().enrol(draw_code(), wrong)) is RefusalReason.BAD_CSR, "nothing about the code"
    assert isinstance(installation.office().enrol(code, csr_of(key)), Certified)


def _foreign_signature(key: Key) -> str:
    """A request for `key` that it did not sign: one bit of its signature is another."""
    broken = bytearray(base64.b64decode("".join(csr_of(key).splitlines()[1:-1])))
    broken[-6] ^= 1
    text = base64.b64encode(broken).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"


@pytest.mark.parametrize("path", [ENROL_PATH, RENEW_PATH])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"v": 2}', b"[" * 30_000, b"x" * 70_000, b'\xff{"v":1}'])
def test_whatever_is_sent_is_answered_with_a_refusal(installation: Installation, path: str, body: bytes) -> None:
    answer = installation.office().post(path, body)
    assert answer.status_code >= httpx.codes.BAD_REQUEST
    Refusal.model_validate_json(answer.text)
    assert installation.signed() == 0


def test_nonsense_is_counted_too(installation: Installation) -> None:
    office = installation.office(address="127.0.0.4")
    for _ in range(TRIES_MAX["address"]):
        office.post(ENROL_PATH, b"{}")
    assert office.post(ENROL_PATH, b"{}").status_code == httpx.codes.TOO_MANY_REQUESTS


def test_another_practices_gateway_is_nobodys_to_claim_or_revoke(installation: Installation) -> None:
    other = Clinic(installation.clinic.database, now=installation.clock(), name="Elsewhere")
    for act in (claiming.open_claim, claiming.revoke, claiming.replace):
        with (
            pytest.raises(UserError, match="your practice has no gateway"),
            installation.clinic.database.transaction() as connection,
        ):
            act(connection, other.gateway_id, actor=installation.actor, now=installation.clock())


def test_what_was_done_is_on_record_and_no_code_is(installation: Installation) -> None:
    code = installation.code()
    installation.office().enrol(code, csr_of(new_key()))
    installation.office().enrol(code, csr_of(new_key()))
    with installation.clinic.database.transaction() as connection:
        rows = connection.execute("select action, detail::text from audit order by id").fetchall()
        stored = connection.execute("select * from gateway_claim").fetchall()
    assert [row["action"] for row in rows] == [
        "made a code to let a gateway in",
        "a gateway was given its certificate",
        "a gateway was refused a certificate",
    ]
    assert code not in str(rows) + str(stored)
    assert code.replace("-", "") not in str(rows) + str(stored)
