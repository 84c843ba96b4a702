-- tell
-- A patient whose readings nothing judges. No row: it is open, or was closed a short while ago.
insert into alert (practice_id, patient_id, kind, rule_id, rule_version, band, severity, reason, evidence, measured_at,
    opened_at, updated_at, next_step_at, armed)
select %(practice_id)s, %(patient_id)s, 'clinical', %(rule_id)s, '1', %(band)s, %(severity)s, %(reason)s, %(evidence)s,
    %(now)s, %(now)s, %(now)s, %(next_step_at)s, (%(next_step_at)s::timestamptz is not null)::integer
where not exists (
    select from alert
    where patient_id = %(patient_id)s and practice_id = %(practice_id)s and rule_id = %(rule_id)s
        and (status <> 'closed' or closed_at > %(since)s)
)
returning id;
