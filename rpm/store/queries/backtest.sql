-- patients
-- Whose readings a practice has to try rules on: everybody it looks after or did, with something measured since then.
select patient.id, patient.public_id, patient.given_name, patient.family_name
from patient
where patient.practice_id = %(practice_id)s and not patient.synthetic
    and exists (
        select from reading
        where reading.patient_id = patient.id and reading.measured_at > %(since)s and reading.voided_at is null
    )
order by patient.id;

-- came
-- When the readings of some patients came.
select reading_no, admitted_at
from reading
where patient_id = any(%(patients)s::bigint[]) and measured_at > %(since)s and measured_at <= %(until)s
order by reading_no;
