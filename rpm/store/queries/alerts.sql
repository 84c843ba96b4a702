-- of_patients
-- Open alerts of some patients, and closed ones young enough to own a reading still in the window, or to keep their rule quiet
-- (who closed a false reading, or reached nobody, has not looked at the patient). Locked: nobody acknowledges or closes between
-- reading and writing.
select id, patient_id, rule_id, rule_version, band, severity, status, late, reason, evidence, measured_at,
    back_in_range_at, version, case when disposition not in ('false_reading', 'no_answer') then closed_at end as closed_at,
    status = 'acknowledged' and snoozed_until is not null as snoozed
from alert
where patient_id = any(%(patients)s) and kind in ('clinical', 'review') and held_id is null
    and (status <> 'closed' or closed_at > %(since)s)
order by id
for update;

-- insert
-- A new alert.
insert into alert (practice_id, patient_id, held_id, kind, rule_id, rule_version, band, severity, confirmed, late, reason,
    evidence, measured_at, opened_at, updated_at, back_in_range_at, next_step_at, armed)
values (%(practice_id)s, %(patient_id)s, %(held_id)s, %(kind)s, %(rule_id)s, %(rule_version)s, %(band)s, %(severity)s,
    %(confirmed)s, %(late)s, %(reason)s, %(evidence)s, %(measured_at)s, %(now)s, %(now)s, %(back_in_range_at)s,
    %(next_step_at)s, (%(next_step_at)s::timestamptz is not null)::integer)
returning id;

-- verify
-- A held item that would be red. Judged again, it keeps its one alert, which follows it: to the patient and the practice
-- that are known by now. A practice that is new to it is called from the first step. No row: a person has closed it.
insert into alert (practice_id, patient_id, held_id, kind, rule_id, rule_version, band, severity, confirmed, late, reason,
    evidence, measured_at, opened_at, updated_at, next_step_at, armed)
values (%(practice_id)s, %(patient_id)s, %(held_id)s, %(kind)s, %(rule_id)s, %(rule_version)s, %(band)s, %(severity)s,
    %(confirmed)s, %(late)s, %(reason)s, %(evidence)s, %(measured_at)s, %(now)s, %(now)s, %(next_step_at)s,
    (%(next_step_at)s::timestamptz is not null)::integer)
on conflict (held_id) where held_id is not null do update
set practice_id = excluded.practice_id, patient_id = excluded.patient_id, rule_id = excluded.rule_id,
    rule_version = excluded.rule_version, band = excluded.band, reason = excluded.reason, evidence = excluded.evidence,
    measured_at = excluded.measured_at, updated_at = excluded.updated_at, version = alert.version + 1,
    step = case when alert.practice_id = excluded.practice_id then alert.step else 0 end,
    armed = alert.armed + case when alert.practice_id = excluded.practice_id then 0 else excluded.armed end,
    next_step_at = case when alert.practice_id = excluded.practice_id then alert.next_step_at
        else excluded.next_step_at end
where alert.status <> 'closed'
returning id;

-- update
-- Fold news into an open alert. Its call is left as it is.
update alert
set kind = %(kind)s, rule_version = %(rule_version)s, band = %(band)s, severity = %(severity)s,
    confirmed = %(confirmed)s, late = %(late)s, reason = %(reason)s, evidence = %(evidence)s,
    measured_at = %(measured_at)s, updated_at = %(now)s, back_in_range_at = %(back_in_range_at)s, version = version + 1
where id = %(alert_id)s and version = %(version)s and status <> 'closed';

-- rearm
-- It became worse: call from the first step again, whoever has acknowledged it; without a next step it stands on the list, and
-- is another thing all the same than what its earlier calls told of.
update alert
set status = 'open', acknowledged_at = null, acknowledged_by = null, snoozed_until = null, snooze_reason = null, step = 0,
    armed = armed + (armed > 0 or %(next_step_at)s::timestamptz is not null)::integer, next_step_at = %(next_step_at)s
where id = %(alert_id)s;

-- open_technical
-- Something of ours does not work: one open alert per practice and cause, whoever finds it again. With more than the open one
-- tells it calls anew, whoever has taken it or let it wait. No row: it is open, or somebody dealt with it as it is since
-- %(quiet_since)s ("no answer" is nothing that was done).
insert into alert (practice_id, kind, rule_id, rule_version, band, severity, reason, evidence, measured_at, opened_at,
    updated_at, next_step_at, armed)
select %(practice_id)s, 'technical', %(rule_id)s, %(rule_version)s, %(band)s, %(severity)s, %(reason)s, %(evidence)s,
    %(now)s, %(now)s, %(now)s, %(next_step_at)s, (%(next_step_at)s::timestamptz is not null)::integer
where not exists (
    select from alert
    where practice_id = %(practice_id)s and patient_id is null and held_id is null and rule_id = %(rule_id)s
        and rule_version = %(rule_version)s and status = 'closed' and disposition <> 'no_answer'
        and case when %(evidence)s::jsonb ? 'state' then evidence -> 'state' @> (%(evidence)s::jsonb -> 'state')
            else reason = %(reason)s end
        and closed_at > %(quiet_since)s and closed_at <= %(now)s
)
on conflict (practice_id, rule_id) where status <> 'closed' and patient_id is null and held_id is null do update
set reason = excluded.reason, evidence = excluded.evidence, updated_at = excluded.updated_at, status = 'open',
    acknowledged_at = null, acknowledged_by = null, snoozed_until = null, snooze_reason = null, step = 0,
    armed = alert.armed + 1, next_step_at = excluded.next_step_at, version = alert.version + 1
where case when excluded.evidence ? 'state' then not alert.evidence -> 'state' @> (excluded.evidence -> 'state')
    else alert.reason <> excluded.reason end
returning id, version = 1 as opened;

-- add_event
-- Something happened to an alert.
insert into alert_event (practice_id, alert_id, at, kind, staff_id, reason, detail)
values (%(practice_id)s, %(alert_id)s, %(at)s, %(kind)s, %(staff_id)s, %(reason)s, %(detail)s);

-- events
-- The life of an alert, oldest first.
select alert_event.id, alert_event.at, alert_event.kind, alert_event.staff_id, staff.display_name, alert_event.reason,
    alert_event.detail
from alert_event left join staff on staff.id = alert_event.staff_id
where alert_event.alert_id = %(alert_id)s
order by alert_event.id;

-- state_for
-- An alert as a member of its practice's staff finds it; locked.
select alert.id, alert.practice_id, alert.status, alert.acknowledged_by, alert.severity, alert.kind, alert.snoozed_until,
    alert.armed
from alert join staff on staff.practice_id = alert.practice_id
where alert.id = %(alert_id)s and staff.id = %(staff_id)s and staff.active
for update of alert;

-- acknowledge
-- Somebody has it: nobody else is called.
update alert
set status = 'acknowledged', acknowledged_at = %(now)s, acknowledged_by = %(staff_id)s, next_step_at = null,
    snoozed_until = null, snooze_reason = null, version = version + 1
where id = %(alert_id)s;

-- snooze
-- Somebody has it, and has said until when it may wait.
update alert
set status = 'acknowledged', acknowledged_at = %(now)s, acknowledged_by = %(staff_id)s, next_step_at = null,
    snoozed_until = %(until)s, snooze_reason = %(reason)s, version = version + 1
where id = %(alert_id)s;

-- close
-- It is dealt with.
update alert
set status = 'closed', closed_at = %(now)s, closed_by = %(staff_id)s, disposition = %(disposition)s, note = %(note)s,
    next_step_at = null, snoozed_until = null, snooze_reason = null, version = version + 1
where id = %(alert_id)s;
