-- waiting
-- Of what is due at each stage, the oldest: a stage may beat and not get on. Each is the head of a small or partial index.
select
    least(
        (select min(since) from patient_news), (select held_at from held where judged_at is null order by id limit 1),
        (select min(due_at) from repeat_wait where due_at <= %(now)s)
    ) as evaluate,
    (select min(next_step_at) from alert where next_step_at <= %(now)s and status = 'open') as escalate,
    (select min(created_at) from notification where state in ('pending', 'sending')) as send;

-- boxes
-- Each practice's boxes: those expected (heard since %(expected)s), of them those not heard since %(quiet)s, and those that
-- were, and say that readings have waited in them for longer than %(stuck_s)s seconds.
select gateway.practice_id, count(*) as expected,
    count(*) filter (where gateway_status.heard_at <= %(quiet)s) as quiet,
    count(*) filter (
        where gateway_status.heard_at > %(quiet)s and gateway_status.outbox_depth > 0
            and gateway_status.outbox_oldest_s > %(stuck_s)s and gateway_status.clock is distinct from 'unset'
    ) as stuck
from gateway join gateway_status on gateway_status.gateway_id = gateway.id
where gateway.retired_at is null and gateway.practice_id <> 0 and gateway_status.heard_at > %(expected)s
group by gateway.practice_id
order by gateway.practice_id;

-- silent_boxes
-- Boxes not heard since then, with no alert that says so already, the longest silent first; not those of %(left_out)s, nor where
-- somebody has dealt with this silence since %(quiet_since)s ("no answer" is nothing that was done).
select gateway.id, gateway.practice_id, gateway.label, gateway_status.heard_at, gateway_status.outbox_depth
from gateway join gateway_status on gateway_status.gateway_id = gateway.id
where gateway.retired_at is null and gateway.practice_id <> 0 and gateway_status.heard_at <= %(before)s
    and gateway_status.heard_at > %(expected)s
    and gateway.practice_id <> all(%(left_out)s::integer[])
    and not exists (
        select from alert
        where alert.practice_id = gateway.practice_id and alert.rule_id = %(rule)s || gateway.id
            and alert.status <> 'closed' and alert.patient_id is null and alert.held_id is null
            and alert.back_in_range_at is null
    )
    and not exists (
        select from alert
        where alert.practice_id = gateway.practice_id and alert.rule_id = %(rule)s || gateway.id
            and alert.status = 'closed' and alert.patient_id is null and alert.held_id is null
            and alert.measured_at >= gateway_status.heard_at and alert.disposition <> 'no_answer'
            and alert.closed_at > %(quiet_since)s and alert.closed_at <= %(now)s
    )
order by gateway_status.heard_at, gateway.id
limit %(limit)s;

-- silent_patients
-- People looked after, with a device, of whom nothing came since then, with no alert that says so already, the longest
-- silent first. What came counts when it came, and when it was measured; before they had a device nobody waited, nor while they were
-- away. Not the synthetic one, which another watches; not those of %(left_out)s, nor where somebody has dealt with this silence
-- since %(quiet_since)s, unless it could wait then and has lasted since %(calls_before)s by now.
select patient.id as patient_id, patient.public_id, patient.practice_id, patient.time_zone, heard.measured_at as heard_at,
    given.since as started_at, greatest(heard.measured_at, given.since) as since
from enrolment
    join patient on patient.id = enrolment.patient_id
    join (
        select patient_id, greatest(min(lower(during)), min(confirmed_at)) as since from device_assignment
        where during @> %(now)s::timestamptz
        group by patient_id
    ) as given on given.patient_id = patient.id
    left join (select patient_id, max(measured_at) as measured_at from latest group by patient_id) as heard
        on heard.patient_id = patient.id
    left join (
        select patient_id, max(coalesce(ended_at, ends_at)) as ends_at from patient_pause where withdrawn_at is null
        group by patient_id
    ) as away on away.patient_id = patient.id
where enrolment.ended_at is null and not patient.synthetic
    and greatest(heard.measured_at, given.since, enrolment.started_at, away.ends_at) <= %(before)s
    and patient.practice_id <> all(%(left_out)s::integer[])
    and not exists (
        select from alert
        where alert.patient_id = patient.id and alert.rule_id = %(rule)s and alert.status <> 'closed'
            and alert.back_in_range_at is null
    )
    and not exists (
        select from alert
        where alert.patient_id = patient.id and alert.rule_id = %(rule)s and alert.status = 'closed'
            and alert.measured_at >= greatest(heard.measured_at, given.since) and alert.disposition <> 'no_answer'
            and alert.closed_at > %(quiet_since)s and alert.closed_at <= %(now)s
            and (alert.severity > %(waits)s or greatest(heard.measured_at, given.since) > %(calls_before)s)
    )
order by since, patient.id
limit %(limit)s;

-- given
-- The devices of some people, who heard them last, and what of them is held.
select device_assignment.patient_id, device.id as device_id, device.label, device.address, device.seen_at,
    device.gateway_id, device_assignment.pending, (
        select count(*) from held where held.device_id = device.id and held.state = 'held'
    ) as held
from device_assignment join device on device.id = device_assignment.device_id
where device_assignment.patient_id = any(%(patients)s) and device_assignment.during @> %(now)s::timestamptz
order by device_assignment.patient_id, device.id;

-- open
-- Something is silent: one open alert for it, whoever finds it. One that was back calls anew. No row: it is open already.
insert into alert (practice_id, patient_id, kind, rule_id, rule_version, band, severity, reason, evidence, measured_at,
    opened_at, updated_at, next_step_at, armed)
values (%(practice_id)s, null, 'technical', %(rule_id)s, %(rule_version)s, %(band)s, %(severity)s, %(reason)s,
    %(evidence)s, %(since)s, %(now)s, %(now)s, %(next_step_at)s, (%(next_step_at)s::timestamptz is not null)::integer)
on conflict (practice_id, rule_id) where status <> 'closed' and patient_id is null and held_id is null do update
set back_in_range_at = null, reason = excluded.reason, measured_at = excluded.measured_at, updated_at = excluded.updated_at,
    band = excluded.band, severity = excluded.severity, status = 'open', acknowledged_at = null, acknowledged_by = null,
    snoozed_until = null, snooze_reason = null, step = 0, armed = alert.armed + 1, next_step_at = excluded.next_step_at,
    version = alert.version + 1
where alert.back_in_range_at is not null
returning id;

-- open_of_patient
-- The same of a person's readings.
insert into alert (practice_id, patient_id, kind, rule_id, rule_version, band, severity, reason, evidence, measured_at,
    opened_at, updated_at, next_step_at, armed)
values (%(practice_id)s, %(patient_id)s, 'technical', %(rule_id)s, %(rule_version)s, %(band)s, %(severity)s, %(reason)s,
    %(evidence)s, %(since)s, %(now)s, %(now)s, %(next_step_at)s, (%(next_step_at)s::timestamptz is not null)::integer)
on conflict (patient_id, rule_id) where status <> 'closed' and held_id is null do update
set back_in_range_at = null, reason = excluded.reason, measured_at = excluded.measured_at, updated_at = excluded.updated_at,
    band = excluded.band, severity = excluded.severity, status = 'open', acknowledged_at = null, acknowledged_by = null,
    snoozed_until = null, snooze_reason = null, step = 0, armed = alert.armed + 1, next_step_at = excluded.next_step_at,
    version = alert.version + 1
where alert.back_in_range_at is not null
returning id;

-- worsen
-- People silent since before then whose alert still says that it can wait: it cannot.
update alert
set band = %(band)s, severity = %(severity)s, reason = reason || %(more)s, updated_at = %(now)s, status = 'open',
    acknowledged_at = null, acknowledged_by = null, snoozed_until = null, snooze_reason = null, step = 0, armed = armed + 1,
    next_step_at = null, version = version + 1
where id in (
    select id from alert
    where status <> 'closed' and kind = 'technical' and rule_id = %(rule)s and severity < %(severity)s
        and back_in_range_at is null and measured_at <= %(before)s
        and not exists (
            select from patient_pause
            where patient_pause.patient_id = alert.patient_id and coalesce(ended_at, ends_at) > %(before)s
                and withdrawn_at is null
        )
        and practice_id <> all(%(left_out)s::integer[])
    order by id
    limit %(limit)s
    for update skip locked
)
returning id, practice_id, reason;

-- outages
-- The practices whose pipeline is told to be silent, and since when that alert was last written.
select id, practice_id, severity, reason, back_in_range_at, updated_at,
    status = 'acknowledged' and snoozed_until is not null as snoozed
from alert
where kind = 'technical' and rule_id = %(rule)s and status <> 'closed' and patient_id is null and held_id is null;

-- retell
-- More of the pipeline is silent, or less: the alert says so, and calls nobody anew.
update alert set reason = %(reason)s, updated_at = %(now)s, version = version + 1 where id = %(alert_id)s;

-- boxes_back
-- Boxes that are heard again since their alert was written, or are in use no more.
select alert.id, alert.practice_id
from alert
    join gateway on alert.rule_id = %(rule)s || gateway.id and gateway.practice_id = alert.practice_id
    left join gateway_status on gateway_status.gateway_id = gateway.id
where alert.kind = 'technical' and alert.status <> 'closed' and alert.back_in_range_at is null
    and (gateway.retired_at is not null or gateway_status.heard_at > alert.measured_at)
order by alert.id
limit %(limit)s
for update of alert skip locked;

-- patients_back
-- People of whom something came since their alert was written, or of whom nothing is expected any more.
select alert.id, alert.practice_id
from alert
where alert.kind = 'technical' and alert.rule_id = %(rule)s and alert.status <> 'closed'
    and alert.back_in_range_at is null
    and (
        exists (select from latest where latest.patient_id = alert.patient_id and latest.measured_at > alert.measured_at)
        or not exists (
            select from device_assignment
            where device_assignment.patient_id = alert.patient_id and device_assignment.during @> %(now)s::timestamptz
        )
        or not exists (
            select from enrolment where enrolment.patient_id = alert.patient_id and enrolment.ended_at is null
        )
    )
order by alert.id
limit %(limit)s
for update skip locked;

-- keepers_back
-- Who looks after certificates and is heard again: the alerts that say they are silent.
select id, practice_id from alert
where kind = 'technical' and rule_id = any(%(rules)s::text[]) and status <> 'closed' and back_in_range_at is null
order by id
for update skip locked;

-- keeper_closed_in
-- The practices in which somebody has lately dealt with a silence that began then ("no answer" is nothing that was done).
select practice_id from alert
where kind = 'technical' and rule_id = %(rule)s and status = 'closed' and measured_at >= %(since)s
    and disposition <> 'no_answer' and closed_at > %(quiet_since)s and closed_at <= %(now)s;

-- ease
-- What is left of an outage can wait: the alert says so, and calls nobody any more.
update alert
set reason = %(reason)s, band = %(band)s, severity = %(severity)s, updated_at = %(now)s, next_step_at = null,
    version = version + 1
where id = %(alert_id)s and status <> 'closed' and severity > %(severity)s;

-- retell_and_call
-- A part is silent of which nobody knew who let this wait, or one that cannot wait at all: it calls.
update alert
set reason = %(reason)s, band = %(band)s, severity = %(severity)s, updated_at = %(now)s, status = 'open',
    acknowledged_at = null, acknowledged_by = null,
    snoozed_until = null, snooze_reason = null, step = 0, armed = armed + 1, next_step_at = %(next_step_at)s,
    version = version + 1
where id = %(alert_id)s and status <> 'closed'
    and (severity < %(severity)s or (status = 'acknowledged' and snoozed_until is not null));

-- back
-- It is heard again: nobody is called any more, neither now nor when a wait would have ended.
update alert
set back_in_range_at = %(now)s, next_step_at = null, updated_at = %(now)s, version = version + 1,
    status = case when status = 'acknowledged' and snoozed_until is not null then 'open' else status end,
    acknowledged_at = case when snoozed_until is null then acknowledged_at end,
    acknowledged_by = case when snoozed_until is null then acknowledged_by end,
    snoozed_until = null, snooze_reason = null
where id = any(%(ids)s);

-- close_old
-- What has been back for so long needs nobody: these alerts close themselves, and say so.
update alert
set status = 'closed', closed_at = %(now)s, disposition = 'no_action', next_step_at = null, updated_at = %(now)s,
    snoozed_until = null, snooze_reason = null, note = 'Closed by itself: heard again, and not missed since.',
    version = version + 1
where id in (
    select id from alert
    where kind = 'technical' and rule_id like %(rules)s and status <> 'closed' and back_in_range_at <= %(before)s
    order by id
    limit %(limit)s
    for update skip locked
)
returning id, practice_id;
