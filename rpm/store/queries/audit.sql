-- append
-- One thing somebody saw or did; the trigger chains it to the row before.
insert into audit (at, practice_id, staff_id, patient_id, action, detail)
values (%(now)s, %(practice_id)s, %(staff_id)s, %(patient_id)s, %(action)s, %(detail)s);

-- of_patient
-- Who saw or changed what of one patient, newest first.
select audit.id, audit.at, audit.action, audit.detail, staff.display_name, staff.username
from audit left join staff on staff.id = audit.staff_id
where audit.practice_id = %(practice_id)s
    and (audit.patient_id = %(patient_id)s or audit.detail -> 'patients' @> to_jsonb(%(patient_id)s::bigint))
order by audit.id desc
limit %(limit)s;

-- of_practice
-- What was seen or done in a practice, newest first.
select audit.id, audit.at, audit.action, audit.detail, staff.display_name, staff.username,
    patient.given_name, patient.family_name, patient.public_id
from audit
    left join staff on staff.id = audit.staff_id
    left join patient on patient.id = audit.patient_id
where audit.practice_id = %(practice_id)s
order by audit.id desc
limit %(limit)s;

-- broken_links
-- Rows whose hash is not that of their contents, or that do not name the row before them.
select id from (
    select id, previous_hash, hash,
        lag(hash) over (order by id) as hash_before,
        sha256(convert_to(concat_ws('|', id, extract(epoch from at), practice_id, staff_id, patient_id, action,
            detail::text, encode(coalesce(previous_hash, ''), 'hex')), 'UTF8')) as hash_now
    from audit
) as chained
where hash is distinct from hash_now or previous_hash is distinct from hash_before
order by id
limit %(limit)s;
