-- by_public_id
-- One patient of a practice, with the episode of monitoring that is or was the last.
select patient.id, patient.public_id, patient.given_name, patient.family_name, patient.birth_date, patient.phone,
    patient.language, patient.time_zone, patient.program, patient.synthetic,
    episode.consented_at, episode.ordered_at, episode.ordered_by, episode.condition_icd10, episode.set_up_at,
    episode.started_at, episode.ended_at, case when purge.certificate is not null then purge.begun_at end as purged_at
from patient
    left join purge on purge.patient_id = patient.id
    left join lateral (
        select * from enrolment
        where enrolment.patient_id = patient.id
        order by started_at desc
        limit 1
    ) as episode on true
where patient.public_id = %(public_id)s and patient.practice_id = %(practice_id)s;

-- search
-- The practice's patients whose name or birth date contains the text, with what is open and when they were last heard; not
-- those whose record is gone: nothing can be given to them any more.
select patient.id, patient.public_id, patient.given_name, patient.family_name, patient.birth_date,
    patient.time_zone, patient.program, heard.measured_at as heard_at,
    coalesce(open.severity, 0) as severity, coalesce(open.count, 0) as open_alerts
from patient
    left join lateral (
        select max(measured_at) as measured_at from latest where latest.patient_id = patient.id
    ) as heard on true
    left join lateral (
        select max(severity) as severity, count(*) as count
        from alert
        where alert.patient_id = patient.id and alert.status <> 'closed'
    ) as open on true
where patient.practice_id = %(practice_id)s
    and not exists (select from purge where purge.patient_id = patient.id)
    and position(lower(%(text)s) in lower(patient.given_name || ' ' || patient.family_name || ' ' || patient.birth_date)) > 0
order by patient.family_name, patient.given_name, patient.id
limit %(limit)s;

-- devices
-- What a patient measures with, now and before, and when it was last heard.
select device.id, device.kind, device.label, device.manufacturer, device.model, device.serial, device.seen_at,
    device.gateway_id, device_assignment.user_slot, device_assignment.pending,
    lower(device_assignment.during) as since, upper(device_assignment.during) as until
from device_assignment join device on device.id = device_assignment.device_id
where device_assignment.patient_id = %(patient_id)s and device_assignment.practice_id = %(practice_id)s
order by upper(device_assignment.during) desc nulls first, lower(device_assignment.during) desc
limit %(limit)s;

-- alerts
-- A patient's alerts, open ones first, then the newest.
select alert.id, alert.public_id, alert.kind, alert.rule_id, alert.rule_version, alert.band, alert.severity,
    alert.armed, alert.status, alert.confirmed, alert.late, alert.reason, alert.evidence, alert.measured_at, alert.opened_at,
    alert.back_in_range_at, alert.acknowledged_at, alert.closed_at, alert.disposition, alert.note,
    case when alert.status = 'acknowledged' then alert.snoozed_until end as snoozed_until, alert.snooze_reason,
    owner.display_name as owner_name, closer.display_name as closer_name
from alert
    left join staff as owner on owner.id = alert.acknowledged_by
    left join staff as closer on closer.id = alert.closed_by
where alert.patient_id = %(patient_id)s and alert.practice_id = %(practice_id)s
order by alert.status = 'closed', alert.severity * (alert.status <> 'closed')::integer desc, alert.opened_at desc
limit %(limit)s;

-- alert_events
-- The life of some alerts, in order.
select alert_event.alert_id, alert_event.at, alert_event.kind, alert_event.reason, staff.display_name
from alert_event left join staff on staff.id = alert_event.staff_id
where alert_event.alert_id = any(%(alert_ids)s) and alert_event.practice_id = %(practice_id)s
order by alert_event.id;

-- alert_ids
-- The inner number of a practice's alert, whom it is about, and whether it is about something of ours.
select alert.id, alert.patient_id, patient.public_id as patient_public_id, alert.kind = 'technical' as technical
from alert left join patient on patient.id = alert.patient_id
where alert.public_id = %(public_id)s and alert.practice_id = %(practice_id)s;
