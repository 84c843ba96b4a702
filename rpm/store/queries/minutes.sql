-- start_timer
-- Start a nurse's timer; nothing is returned where one of hers already runs.
insert into timer (staff_id, practice_id, patient_id, alert_id, started_at)
values (%(staff_id)s, %(practice_id)s, %(patient_id)s, %(alert_id)s, %(now)s)
on conflict (staff_id) do nothing
returning staff_id;

-- running_timer
-- The timer somebody has running, and for whom.
select timer.patient_id, timer.alert_id, timer.started_at,
    patient.public_id, patient.given_name, patient.family_name
from timer join patient on patient.id = timer.patient_id
where timer.staff_id = %(staff_id)s;

-- take_timer
-- Take a running timer away and return it: of two requests that stop it, one gets it.
delete from timer
where staff_id = %(staff_id)s
returning patient_id, alert_id, started_at, practice_id;

-- insert_entry
-- Write down time spent for a patient. Entries are never changed, only reversed.
insert into time_entry (practice_id, patient_id, staff_id, alert_id, started_at, ended_at, activity, interactive,
    manual, note, reverses, created_at)
values (%(practice_id)s, %(patient_id)s, %(staff_id)s, %(alert_id)s, %(started_at)s, %(ended_at)s, %(activity)s,
    %(interactive)s, %(manual)s, %(note)s, %(reverses)s, %(now)s)
returning id;

-- entry
-- One time entry of a practice, and whether another row reverses it.
select id, patient_id, staff_id, alert_id, started_at, ended_at, activity, interactive, manual, note, reverses,
    exists (select from time_entry as later where later.reverses = time_entry.id) as reversed
from time_entry
where id = %(entry_id)s and practice_id = %(practice_id)s;

-- of_patient
-- A patient's entries since an instant, newest first, with who made them.
select time_entry.id, time_entry.staff_id, staff.display_name, time_entry.started_at, time_entry.ended_at,
    time_entry.activity, time_entry.interactive, time_entry.manual, time_entry.note, time_entry.reverses,
    exists (select from time_entry as later where later.reverses = time_entry.id) as reversed
from time_entry join staff on staff.id = time_entry.staff_id
where time_entry.practice_id = %(practice_id)s and time_entry.patient_id = %(patient_id)s
    and time_entry.started_at >= %(since)s
order by time_entry.started_at desc, time_entry.id desc
limit %(limit)s;

-- overlapping
-- Entries that claim some of the same time: this nurse's for anybody, or anybody's for this patient.
select time_entry.id, staff.display_name, time_entry.staff_id, time_entry.patient_id,
    time_entry.started_at, time_entry.ended_at
from time_entry join staff on staff.id = time_entry.staff_id
where time_entry.practice_id = %(practice_id)s
    and (time_entry.staff_id = %(staff_id)s or time_entry.patient_id = %(patient_id)s)
    and time_entry.started_at < %(ended_at)s and time_entry.ended_at > %(started_at)s
    and time_entry.reverses is null
    and not exists (select from time_entry as later where later.reverses = time_entry.id)
order by time_entry.started_at
limit %(limit)s;
