"""Hand messages to their channel: lease, commit, ask once more, call, write the answer. At least once is the promise.

Between the call and the written answer lies a moment in which a killed process leaves the outcome unknown. Its lease runs
out and the message is sent again: a duplicate, which the text shows by naming the alert and the call. Never the reverse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from alerts.channels import ATTEMPT_TIMEOUT_S, PROVIDERS_MAX, Answer, Channels, NoChannel
from alerts.escalation import Plan
from alerts.notices import Notice
from alerts.pace import Wait, pace
from rpm import delivery, stopping
from rpm.store import alerts, notifications, paces
from rpm.store.database import Database
from rpm.store.notifications import Claimed, State
from rpm.store.plans import current

log = structlog.get_logger()

#: How long an attempt belongs to whoever claimed it: longer than it can take, so that no living sender loses it.
LEASE: Final = timedelta(seconds=(PROVIDERS_MAX + 1) * ATTEMPT_TIMEOUT_S)
#: Messages claimed at a time; their leases are as many times as long, since they are sent one after the other.
CLAIM_LIMIT: Final = 1
ATTEMPTS_MAX: Final = 5
#: Wait before attempt 2, 3, …: 5, 10, 20, 40 seconds.
BACK_OFF: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did."""

    sent: int
    failed: int
    cancelled: int
    more: bool

    @property
    def done(self) -> int:
        """How much there was to do."""
        return self.sent + self.failed + self.cancelled


@dataclass(frozen=True, slots=True)
class Result:
    """What becomes of a message after an attempt, and why."""

    state: State
    answer: str
    due_at: datetime
    provider: str = ""
    message_ids: tuple[str, ...] = ()


def after(answer: Answer, *, attempts: int, now: datetime) -> Result:
    """What an answer makes of a message that was tried `attempts` times: sent, to be tried again, or given up."""
    if answer.accepted:
        return Result(State.SENT, answer.detail, now, answer.provider, answer.message_ids)
    if answer.stopped:
        return Result(State.FAILED, answer.detail, now)
    if attempts >= ATTEMPTS_MAX:
        return Result(State.FAILED, f"given up after {attempts} attempts: {answer.detail}", now)
    return Result(State.PENDING, answer.detail, now + BACK_OFF * 2 ** (attempts - 1))


def run_once(
    database: Database,
    *,
    now: datetime,
    channels: Channels,
    base_url: str,
    limit: int = CLAIM_LIMIT,
    singly_max: int | None = None,
    plan: Plan | None = None,
) -> Report:
    """Send at most `limit` messages, which link to pages below `base_url`. The network is called outside any transaction (E5).

    `singly_max`: after so many within a few minutes a contact is sent summaries (`alerts.pace`); None: never. `plan`: by which
    those are told who keep the rota, where a contact wants no more messages; None: nobody is.
    """
    with database.transaction() as connection:
        claimed = notifications.claim(connection, now=now, lease_until=now + limit * LEASE, limit=limit)
    results = [_send(database, one, channels, base_url, singly_max=singly_max, plan=plan, now=now) for one in claimed]
    counts = [results.count(state) for state in (State.SENT, State.FAILED, State.CANCELLED)]
    return Report(*counts, more=len(claimed) == limit)


def _send(
    database: Database,
    claimed: Claimed,
    channels: Channels,
    base_url: str,
    *,
    singly_max: int | None,
    plan: Plan | None,
    now: datetime,
) -> State | None:
    """One message to its end: sent, failed, cancelled; None where it is tried later or is another's by now."""
    others: dict[int, int] = {}
    with database.transaction() as connection:
        wanted = notifications.still_wanted(connection, claimed)
        sendable = wanted.ours and wanted.waiting and not wanted.stopped
        if sendable and claimed.contact_id is not None and singly_max is not None:
            lately = paces.sent(connection, claimed.contact_id, now=now)
            decision = pace(lately, claimed.severity, now=now, singly_max=singly_max)
            if isinstance(decision, Wait):
                paces.postpone(connection, claimed, until=decision.until)
                return None
            others = paces.waiting(connection, claimed) if decision.summary else {}
    if not wanted.ours:
        return None
    if not wanted.waiting:
        return _finish(
            database, claimed, Result(State.CANCELLED, "acknowledged before it was sent", now), others={}, now=now
        )
    if wanted.stopped:
        return _finish(database, claimed, Result(State.FAILED, stopping.WHY, now), others={}, now=now)
    if claimed.attempts > ATTEMPTS_MAX:
        # Its senders died one after the other without an answer: stop before it takes more of them along.
        answer = Answer(False, "senders ended without an answer")
    else:
        channel = channels.get(claimed.channel, NoChannel(f"this installation sends nothing by {claimed.channel}"))
        notice = notice_of(claimed, base_url, others=len(others))
        subject, body = notice.text_for(claimed.channel)
        report_to = f"{base_url}/hooks/{{provider}}/report/{claimed.token}" if claimed.token else ""
        asks = notice.asks_for(claimed.channel)
        answer = channel.send(claimed.address, subject=subject, body=body, report_to=report_to, asks=asks)
    state = _finish(database, claimed, after(answer, attempts=claimed.attempts, now=now), others=others, now=now)
    if answer.stopped:
        # Its own transaction: it takes more alerts than this message's.
        with database.transaction() as connection:
            stopping.stop(connection, claimed.address, plan and current(connection, plan), now=now)
    return state


def notice_of(claimed: Claimed, base_url: str, *, others: int = 0) -> Notice:
    """What one message says; with `others`, for as many alerts besides."""
    return Notice(
        severity=claimed.severity,
        public_id=claimed.public_id,
        step=claimed.step + 1,
        url=f"{base_url}/worklist" if others else f"{base_url}/alerts/{claimed.public_id}",
        clinic=claimed.clinic,
        link=f"{base_url}/a/{claimed.token}" if claimed.token else "",
        code=claimed.code,
        others=others,
    )


def _finish(
    database: Database, claimed: Claimed, result: Result, *, others: Mapping[int, int], now: datetime
) -> State | None:
    sent_at = now if result.state is State.SENT else None
    with database.transaction() as connection:
        notifications.lock_alert(connection, claimed.alert_id, *others.values())
        ours = notifications.finish(
            connection,
            claimed,
            result.state,
            result.answer,
            due_at=result.due_at,
            sent_at=sent_at,
            provider=result.provider,
            message_ids=result.message_ids,
        )
        if not ours:
            log.warning("lease_lost", notification=claimed.notification_id)
            return None
        if result.state is State.SENT:
            alerts.add_event(
                connection,
                practice_id=claimed.practice_id,
                alert_id=claimed.alert_id,
                at=now,
                kind="notified",
                staff_id=claimed.recipient_id,
                reason=f"{claimed.channel}: {result.answer}",
                detail={"step": claimed.step + 1, "attempts": claimed.attempts},
            )
            paces.told(connection, claimed, others, provider=result.provider, now=now)
            # Its provider may have said what became of it while this was not written yet.
            delivery.settle(connection, claimed.notification_id, now=now)
        if result.state is State.FAILED:
            delivery.not_reached(connection, [claimed], answer=result.answer, now=now)
    if result.state is State.PENDING:
        log.warning("send_failed", notification=claimed.notification_id, attempts=claimed.attempts)
        return None
    return result.state
