-- running
-- Which of these patients are away now.
select patient_id from patient_pause
where patient_id = any(%(patients)s) and ended_at is null and ends_at > %(now)s;

-- of_patient
-- The pause of a patient that has not ended.
select patient_pause.id, patient_pause.reason, patient_pause.note, patient_pause.begins_at, patient_pause.ends_at,
    staff.display_name as made_by
from patient_pause join staff on staff.id = patient_pause.made_by
where patient_pause.patient_id = %(patient_id)s and patient_pause.practice_id = %(practice_id)s
    and patient_pause.ended_at is null;

-- lately
-- A patient's pauses that ended lately and were not taken back, the newest first.
select patient_pause.id, patient_pause.reason, patient_pause.note, patient_pause.begins_at,
    patient_pause.ended_at as ends_at, staff.display_name as made_by
from patient_pause join staff on staff.id = patient_pause.made_by
where patient_pause.patient_id = %(patient_id)s and patient_pause.practice_id = %(practice_id)s
    and patient_pause.ended_at > %(since)s and patient_pause.withdrawn_at is null
order by patient_pause.begins_at desc, patient_pause.id desc
limit %(limit)s;

-- begin
-- A patient is away, or was: one that is over runs no more. No row where the patient is said to be away already.
insert into patient_pause (practice_id, patient_id, reason, note, begins_at, ends_at, made_by, made_at, ended_at)
values (%(practice_id)s, %(patient_id)s, %(reason)s, %(note)s, %(begins_at)s, %(ends_at)s, %(staff_id)s, %(now)s,
    case when %(ends_at)s::timestamptz <= %(now)s then %(ends_at)s::timestamptz end)
on conflict (patient_id) where ended_at is null do nothing
returning id;

-- end_early
-- Back before it was expected.
update patient_pause set ended_at = least(ends_at, %(now)s), ended_by = %(staff_id)s
where patient_id = %(patient_id)s and practice_id = %(practice_id)s and ended_at is null
returning id;

-- withdraw
-- It was said by mistake: for a bill the patient was never away. One that runs ends, and is kept as long as it was one.
update patient_pause
set withdrawn_at = %(now)s, withdrawn_by = %(staff_id)s, ended_at = least(coalesce(ended_at, ends_at), %(now)s),
    ended_by = coalesce(ended_by, %(staff_id)s)
where id = %(pause_id)s and patient_id = %(patient_id)s and practice_id = %(practice_id)s and withdrawn_at is null
returning id;

-- end_due
-- Pauses that are over, ended now.
update patient_pause set ended_at = ends_at
where id in (
    select id from patient_pause
    where ended_at is null and ends_at <= %(now)s
    order by ends_at, id
    limit %(limit)s
    for update skip locked
)
returning id, practice_id, patient_id, reason, begins_at, (
    select count(*) from alert
    where alert.patient_id = patient_pause.patient_id and alert.status <> 'closed' and alert.opened_at >= begins_at
        and alert.kind <> 'technical'
) as came;

-- say_ended
-- On the list, for the next business day: somebody asks whether the patient is home. One line for a patient.
insert into alert (practice_id, patient_id, kind, rule_id, rule_version, band, severity, reason, evidence, measured_at,
    opened_at, updated_at)
values (%(practice_id)s, %(patient_id)s, 'review', %(rule)s, %(rule_version)s, 'routine', 1, %(reason)s,
    '{"values": []}', %(now)s, %(now)s, %(now)s)
on conflict (patient_id, rule_id) where status <> 'closed' and held_id is null do update
set reason = excluded.reason, updated_at = excluded.updated_at, version = alert.version + 1
returning id;
