-- claim_due
-- Alerts whose next call is due, the most severe first: each is one step further from here on, whoever asks next.
with due as (
    select id from alert
    where next_step_at <= %(now)s and status = 'open'
    order by severity desc, next_step_at, id
    limit %(limit)s
    for update skip locked
)
update alert
set step = alert.step + 1, next_step_at = null, version = alert.version + 1
from due
where alert.id = due.id
returning alert.id, alert.practice_id, alert.severity, alert.step - 1 as step, alert.armed, alert.kind,
    (select program from patient where patient.id = alert.patient_id) as program;

-- reopen_forgotten
-- Alerts somebody acknowledged and did nothing about for as long as their policy allows: open again, and due from the
-- first step. Nothing is: not closed, no time written down for the patient since, no timer that runs for the patient.
-- Each line of `allowed` is one policy: of a practice (null: all that have none of their own), a severity, a queue, and a
-- programme ('': all that have none of their own there). Its seconds are null where it waits without an end. What never called
-- does not begin to, nor does that of %(waits)s which stands at %(routine)s: it is open again, and on its list.
with allowed as (
    select * from unnest(
        %(practices)s::integer[], %(severities)s::smallint[], %(technical)s::boolean[], %(programs)s::text[],
        %(seconds)s::double precision[]
    ) as line (practice_id, severity, technical, program, seconds)
),
forgotten as (
    select alert.id, alert.acknowledged_at, alert.acknowledged_by
    from alert
        left join patient on patient.id = alert.patient_id
        join lateral (
            select allowed.seconds from allowed
            where allowed.severity = alert.severity and allowed.technical = (alert.kind = 'technical')
                and allowed.practice_id is not distinct from
                    (case when alert.practice_id = any(%(own)s::integer[]) then alert.practice_id end)
                and allowed.program in ('', coalesce(patient.program, ''))
            order by allowed.program = ''
            limit 1
        ) as allowed on true
    where alert.status = 'acknowledged' and alert.snoozed_until is null
        and alert.acknowledged_at <= %(now)s::timestamptz - make_interval(secs => allowed.seconds)
        and not exists (
            select 1 from time_entry
            where time_entry.patient_id = alert.patient_id and time_entry.reverses is null
                and time_entry.ended_at > alert.acknowledged_at
                and time_entry.ended_at > %(now)s::timestamptz - make_interval(secs => allowed.seconds)
        )
        and not exists (
            select 1 from timer
            where timer.patient_id = alert.patient_id and timer.started_at > %(timers_since)s
        )
    order by alert.severity desc, alert.acknowledged_at, alert.id
    limit %(limit)s
    for update of alert skip locked
)
update alert
set status = 'open', acknowledged_at = null, acknowledged_by = null, step = 0,
    armed = alert.armed + (alert.armed > 0)::integer,
    next_step_at = case
        when alert.armed > 0 and not (alert.rule_id = %(waits)s and alert.severity = %(routine)s) then %(now)s::timestamptz
    end,
    updated_at = %(now)s, version = alert.version + 1
from forgotten
where alert.id = forgotten.id
returning alert.id, alert.practice_id, alert.severity, forgotten.acknowledged_at, forgotten.acknowledged_by;

-- end_snoozes
-- Alerts whose snooze is over: open again, and due from the first step where they ever called. Not those of %(waits)s that
-- stand at %(routine)s: they may have called for more than is left of them, and what is left can wait.
with over as (
    select id, snooze_reason from alert
    where status = 'acknowledged' and snoozed_until <= %(now)s
    order by severity desc, snoozed_until, id
    limit %(limit)s
    for update skip locked
)
update alert
set status = 'open', acknowledged_at = null, acknowledged_by = null, step = 0, snoozed_until = null, snooze_reason = null,
    next_step_at = case
        when armed > 0 and not (rule_id = %(waits)s and severity = %(routine)s) then %(now)s::timestamptz
    end,
    armed = armed + (armed > 0)::integer, updated_at = %(now)s, version = version + 1
from over
where alert.id = over.id
returning alert.id, alert.practice_id, over.snooze_reason;

-- set_next_step
-- When the step after this one is due.
update alert set next_step_at = %(next_step_at)s where id = %(alert_id)s;

-- call_sooner
-- A message could not be delivered: the next step need not wait.
update alert set next_step_at = %(now)s where id = %(alert_id)s and status = 'open' and next_step_at > %(now)s;
