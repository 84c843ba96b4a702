"""How a gateway stays one: renewals over real HTTPS (F22), what a revoked or replaced one can still do, and replays.

Method: as in `test_enrolment`; a box's own keys sign what it asks, and what nobody may have signed is tried too.
"""

from datetime import timedelta

from rpm import claiming
from rpm.identity.renewals import UNSEEN_MAX
from rpm.identity.revocation import SUPERSEDED_GRACE
from schemas.enrolment import RENEWAL_GRACE, RENEWAL_SKEW_MAX, Certified, Refusal, RefusalReason
from tests.support.box import csr_of, new_key, renewal
from tests.support.installation import Installation, refused


def test_a_gateway_renews_with_its_old_key_and_a_lost_answer_is_given_again(installation: Installation) -> None:
    old, first = installation.enrolled()
    now = installation.clock.forward(days=60)
    request = renewal(first.gateway_id, old, csr_of(new_key()), now=now)
    second = installation.office().renew(request)
    assert isinstance(second, Certified)
    assert second.not_after == now + timedelta(days=90)
    installation.clock.forward(minutes=9)
    assert installation.office().renew(request) == second, "asked again, or replayed: nothing new"
    assert installation.signed() == 2


def test_a_renewal_that_was_overheard_is_of_no_use_later(installation: Installation) -> None:
    old, first = installation.enrolled()
    request = renewal(first.gateway_id, old, csr_of(new_key()), now=installation.clock())
    installation.clock.forward(seconds=RENEWAL_SKEW_MAX.total_seconds() + 1)
    assert refused(installation.office().renew(request)) is RefusalReason.RENEWAL_REFUSED
    assert installation.signed() == 1


def test_only_a_key_of_that_gateway_renews(installation: Installation) -> None:
    old, first = installation.enrolled()
    now, csr = installation.clock(), csr_of(new_key())
    for request in (
        renewal(first.gateway_id, new_key(), csr, now=now),
        renewal("gw-nobody-0", old, csr, now=now),
        renewal(first.gateway_id, old, csr, now=now).model_copy(update={"csr": csr_of(new_key())}),
        renewal(first.gateway_id, old, csr, now=now).model_copy(update={"signature": "AAAA"}),
        renewal(first.gateway_id, old, csr_of(old), now=now),
    ):
        answer = installation.office().renew(request)
        assert refused(answer) is RefusalReason.RENEWAL_REFUSED
        assert isinstance(answer, Refusal)
        assert answer.detail == "not signed by the key of a certificate that is good", "the same for all"
    assert installation.signed() == 1


def test_an_old_certificate_is_good_until_a_day_after_the_new_one_was_seen(installation: Installation) -> None:
    old, first = installation.enrolled()
    installation.born(first)
    installation.clock.forward(days=60)
    new = new_key()
    second = installation.office().renew(renewal(first.gateway_id, old, csr_of(new), now=installation.clock()))
    assert isinstance(second, Certified)
    now = installation.clock.forward(days=25)
    third = installation.office().renew(renewal(first.gateway_id, old, csr_of(new_key()), now=now))
    assert isinstance(third, Certified), "nobody has seen the second in use"
    installation.born(second)
    now = installation.clock.forward(seconds=SUPERSEDED_GRACE.total_seconds() - 60)
    assert isinstance(
        installation.office().renew(renewal(first.gateway_id, old, csr_of(new_key()), now=now)), Certified
    ), "the box lost its power, and the new one with it"
    now = installation.clock.forward(minutes=2)
    late = installation.office().renew(renewal(first.gateway_id, old, csr_of(new_key()), now=now))
    assert refused(late) is RefusalReason.RENEWAL_REFUSED
    assert isinstance(
        installation.office().renew(renewal(first.gateway_id, new, csr_of(new_key()), now=now)), Certified
    )


def test_a_certificate_that_ended_can_be_renewed_for_a_while(installation: Installation) -> None:
    old, first = installation.enrolled()
    now = installation.clock.set(first.not_after + RENEWAL_GRACE - timedelta(minutes=1))
    assert isinstance(
        installation.office().renew(renewal(first.gateway_id, old, csr_of(new_key()), now=now)), Certified
    )
    now = installation.clock.forward(minutes=1)
    late = installation.office().renew(renewal(first.gateway_id, old, csr_of(new_key()), now=now))
    assert refused(late) is RefusalReason.RENEWAL_REFUSED


def test_a_gateway_that_asks_without_end_is_stopped(installation: Installation) -> None:
    old, first = installation.enrolled()
    now = installation.clock()
    answers = [
        installation.office().renew(renewal(first.gateway_id, old, csr_of(new_key()), now=now))
        for _ in range(UNSEEN_MAX)
    ]
    assert sum(isinstance(answer, Certified) for answer in answers) == UNSEEN_MAX - 1, "one it had already"
    assert refused(answers[-1]) is RefusalReason.RENEWAL_REFUSED


def test_a_revoked_gateway_renews_no_more_and_its_code_is_void(installation: Installation) -> None:
    old, first = installation.enrolled()
    code = installation.code()
    with installation.clinic.database.transaction() as connection:
        assert claiming.revoke(connection, first.gateway_id, actor=installation.actor, now=installation.clock()) == 1
    now = installation.clock()
    answer = installation.office().renew(renewal(first.gateway_id, old, csr_of(new_key()), now=now))
    assert refused(answer) is RefusalReason.RENEWAL_REFUSED
    assert refused(installation.office().enrol(code, csr_of(new_key()))) is RefusalReason.CLAIM_REFUSED


def test_a_replaced_box_is_out_and_the_next_one_has_its_name(installation: Installation) -> None:
    old, first = installation.enrolled()
    with installation.clinic.database.transaction() as connection:
        opened = claiming.replace(connection, first.gateway_id, actor=installation.actor, now=installation.clock())
    given = installation.office().enrol(opened.code, csr_of(new_key()))
    assert isinstance(given, Certified)
    assert given.gateway_id == first.gateway_id
    now = installation.clock()
    answer = installation.office().renew(renewal(first.gateway_id, old, csr_of(new_key()), now=now))
    assert refused(answer) is RefusalReason.RENEWAL_REFUSED
