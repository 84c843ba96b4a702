-- stands
-- How it stands with a patient whose record is to go: what must end first, and whether a purge was begun. Locks the patient.
select
    exists (
        select from enrolment
        where enrolment.patient_id = patient.id and (enrolment.ended_at is null or enrolment.ended_at > %(now)s)
    ) as looked_after,
    exists (
        select from device_assignment
        where device_assignment.patient_id = patient.id
            and (upper(device_assignment.during) is null or upper(device_assignment.during) > %(now)s)
    ) as has_device,
    exists (
        select from alert
        where alert.status <> 'closed' and (alert.patient_id = patient.id or alert.held_id in (
            select held.id from held where held.patient_id = patient.id
        ))
    ) as has_alert,
    exists (select from timer where timer.patient_id = patient.id) as timed,
    purge.begun_at, purge.certificate
from patient left join purge on purge.patient_id = patient.id
where patient.id = %(patient_id)s and patient.practice_id = %(practice_id)s
for update of patient;

-- begin
-- Write down that it is begun.
insert into purge (practice_id, patient_id, reason, purged_by, begun_at)
values (%(practice_id)s, %(patient_id)s, %(reason)s, %(staff_id)s, %(now)s)
on conflict (patient_id) do nothing;

-- device_assignment
-- Who had which device when: whatever still comes is nobody's from now on.
delete from device_assignment
where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- transaction
-- The number of this transaction.
select pg_current_xact_id()::text::bigint as number;

-- older_ended
-- Whether every transaction that may not have seen that one has ended.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint > %(number)s::bigint as ended;

-- allow
-- For this transaction: what was written of alerts and decisions may lose what was measured, and it takes the time it takes.
select set_config('rpm.purge', 'on', true) as purging, set_config('statement_timeout', '0', true) as unhurried,
    set_config('idle_in_transaction_session_timeout', '0', true) as undisturbed;

-- names
-- What the patient's readings are called, and what is or was held and is known to be theirs; with the boxes they came by.
select reading.reading_id, reading.gateway_id
from reading where reading.patient_id = %(patient_id)s and reading.practice_id = %(practice_id)s
union
select held.reading_id, held.gateway_id
from held
where held.patient_id = %(patient_id)s and held.practice_id = %(practice_id)s and held.reading_id is not null;

-- messages
-- Every message of some boxes. There is no index by box: this reads the archive through.
select settled_no, place, payload
from message
where practice_id in (%(practice_id)s, 0) and topic like any(%(topics)s::text[])
order by settled_no, place;

-- rewrite_message
-- A message without what is let go of, hashed anew.
update message set payload = %(payload)b, sha256 = %(sha256)s
where settled_no = %(settled_no)s and place = %(place)s;

-- drop_message
-- A message in which nothing is left.
delete from message where settled_no = %(settled_no)s and place = %(place)s;

-- move_readings
-- Where the other readings of a settlement stand now, whosever they are: what stood behind what is gone moves up.
update reading
set message_place = message_place - (select count(*) from unnest(%(dropped)s::integer[]) as gone where gone < message_place),
    item_place = item_place - (
        select count(*) from unnest(%(messages)s::integer[], %(items)s::integer[]) as gone (message, item)
        where gone.message = message_place and gone.item < item_place
    )
where settled_no = %(settled_no)s and patient_id <> %(patient_id)s;

-- move_held
-- The same of what is held.
update held
set message_place = message_place - (select count(*) from unnest(%(dropped)s::integer[]) as gone where gone < message_place),
    item_place = item_place - (
        select count(*) from unnest(%(messages)s::integer[], %(items)s::integer[]) as gone (message, item)
        where gone.message = message_place and gone.item < item_place
    )
where settled_no = %(settled_no)s and (reading_id = any(%(names)s::uuid[])) is not true;

-- move_changes
-- The same where decisions on what was held are remembered.
with moved as (
    select no, past.message_place - (
            select count(*) from unnest(%(dropped)s::integer[]) as gone where gone < past.message_place
        ) as message_place, past.item_place - (
            select count(*) from unnest(%(messages)s::integer[], %(items)s::integer[]) as gone (message, item)
            where gone.message = past.message_place and gone.item < past.item_place
        ) as item_place
    from record_change, jsonb_populate_record(null::held, coalesce(after, before)) as past
    where relation = 'held' and past.settled_no = %(settled_no)s
        and (past.reading_id = any(%(names)s::uuid[])) is not true
)
update record_change
set before = before || jsonb_build_object('message_place', moved.message_place, 'item_place', moved.item_place),
    after = after || jsonb_build_object('message_place', moved.message_place, 'item_place', moved.item_place)
from moved where moved.no = record_change.no;

-- move_messages
-- The same of the messages themselves.
update message
set place = place - (select count(*) from unnest(%(dropped)s::integer[]) as gone where gone < place)
where settled_no = %(settled_no)s and place > any(%(dropped)s::integer[]);

-- observation
-- Values.
delete from observation where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- reading
-- Of each reading stay its name, its device, when it was measured and taken in, and whether it counts for a bill.
update reading
set raw = '', raw_context = null, status = '{}', flags = '{}', device_time = null, sequence_number = null,
    user_slot = null, settled_no = null, message_place = null, item_place = null,
    context = case
        when 'control_solution' in (coalesce(context ->> 'sample_location', ''), coalesce(context ->> 'sample_type', ''))
        then '{"sample_type": "control_solution"}'::jsonb
        else '{}'::jsonb
    end
where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- latest
-- Newest values.
delete from latest where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- rollup
-- Days and weeks.
delete from rollup where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- rollup_mark
-- Days and weeks still to be made.
delete from rollup_mark where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- patient_news
-- What is still to be judged.
delete from patient_news where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- patient_limit
-- Limits of the patient's own.
delete from patient_limit where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- limit_decision
-- What was decided on limits made of what is usual.
delete from limit_decision where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- patient_pause
-- When and why the patient was away.
delete from patient_pause where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- patient_fact
-- Dry weights and pregnancies.
delete from patient_fact where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- repeat_wait
-- Readings that waited for a second one.
delete from repeat_wait where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- gateway_request
-- What the patient was asked at the box.
delete from gateway_request where patient_id = %(patient_id)s and practice_id = %(practice_id)s;

-- notification
-- Calls about the patient's alerts; a summary that told of one of them tells of one less.
with gone as (
    select notification.id
    from notification
        join alert on alert.id = notification.alert_id
        left join held on held.id = alert.held_id
    where alert.practice_id = %(practice_id)s
        and (alert.patient_id = %(patient_id)s or held.patient_id = %(patient_id)s or held.reading_id = any(%(names)s::uuid[]))
), untold as (
    update notification set told_in = null
    where told_in in (select id from gone) and id not in (select id from gone)
)
delete from notification where id in (select id from gone);

-- alert_event
-- The lives of the patient's alerts, but for when and who.
update alert_event set reason = 'purged', detail = '{}'
where practice_id = %(practice_id)s and alert_id in (
    select alert.id from alert left join held on held.id = alert.held_id
    where alert.practice_id = %(practice_id)s
        and (alert.patient_id = %(patient_id)s or held.patient_id = %(patient_id)s or held.reading_id = any(%(names)s::uuid[]))
);

-- alert
-- Alerts say no more than that there was one: minutes of work refer to them.
update alert
set rule_id = 'purged', rule_version = '', band = '', severity = 1, reason = 'purged', evidence = '{}', note = null,
    snoozed_until = null, snooze_reason = null, disposition = null, held_id = null, patient_id = %(patient_id)s,
    status = 'closed', next_step_at = null, closed_at = coalesce(closed_at, %(now)s)
where practice_id = %(practice_id)s and (
    patient_id = %(patient_id)s or held_id in (
        select id from held
        where practice_id = %(practice_id)s
            and (held.patient_id = %(patient_id)s or held.reading_id = any(%(names)s::uuid[]))
    )
);

-- held
-- What is or was held of the patient.
delete from held
where practice_id = %(practice_id)s and (patient_id = %(patient_id)s or reading_id = any(%(names)s::uuid[]));

-- correction
-- Why readings were corrected.
update correction set reason = 'purged'
where practice_id = %(practice_id)s and reading_id = any(%(names)s::uuid[]);

-- record_change
-- The same where decisions are remembered.
update record_change
set before = before || case when before ? 'reason' and relation = 'correction' then '{"reason": "purged"}'::jsonb else '{}' end
        || case when before ? 'decision' then '{"decision": null}'::jsonb else '{}' end,
    after = after || case when after ? 'reason' and relation = 'correction' then '{"reason": "purged"}'::jsonb else '{}' end
        || case when after ? 'decision' then '{"decision": null}'::jsonb else '{}' end
where practice_id = %(practice_id)s and relation in ('correction', 'held')
    and coalesce(after, before) ->> 'reading_id' = any(%(names)s::uuid[]::text[]);

-- patient
-- How to reach the patient. Name and birth date stand on the bills.
update patient set phone = null where id = %(patient_id)s and practice_id = %(practice_id)s;

-- left
-- What is still there of what must be gone.
select
    (select count(*) from observation where patient_id = %(patient_id)s)
        + (select count(*) from latest where patient_id = %(patient_id)s)
        + (select count(*) from rollup where patient_id = %(patient_id)s)
        + (select count(*) from held where patient_id = %(patient_id)s)
        + (select count(*) from patient_limit where patient_id = %(patient_id)s)
        + (select count(*) from limit_decision where patient_id = %(patient_id)s)
        + (select count(*) from patient_pause where patient_id = %(patient_id)s)
        + (select count(*) from patient_fact where patient_id = %(patient_id)s)
        + (select count(*) from repeat_wait where patient_id = %(patient_id)s)
        + (select count(*) from device_assignment where patient_id = %(patient_id)s)
        + (select count(*) from reading where patient_id = %(patient_id)s and raw <> '') as number;

-- certify
-- It is finished: what went.
update purge set certificate = %(certificate)s, names = %(names)s::uuid[] where patient_id = %(patient_id)s and practice_id = %(practice_id)s;
