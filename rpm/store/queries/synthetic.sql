-- found
-- The synthetic patients there are, each in a practice of its own, and whom their pages go to.
select patient.id as patient_id, patient.practice_id, staff.id as staff_id, contact.address as email, device.address,
    device.gateway_id as heard_by
from patient
    join staff on staff.practice_id = patient.practice_id
    left join contact on contact.staff_id = staff.id and contact.removed_at is null
    left join device_assignment on device_assignment.patient_id = patient.id and upper_inf(device_assignment.during)
    left join device on device.id = device_assignment.device_id
where patient.synthetic and staff.username = %(username)s
order by patient.id, contact.position
limit 1;

-- add_patient
-- Somebody who is nobody.
insert into patient (practice_id, given_name, family_name, birth_date, time_zone, synthetic, created_at)
values (%(practice_id)s, 'Synthetic', 'Patient', '1950-01-01', 'UTC', true, %(now)s)
returning id;

-- add_enrolment
-- Looked after, without consent, order or payer: nobody could bill it if it were counted.
insert into enrolment (practice_id, patient_id, established_patient, started_at)
values (%(practice_id)s, %(patient_id)s, true, %(now)s);

-- add_device
-- The virtual cuff.
insert into device (practice_id, address, kind, label, single_person, created_at)
values (%(practice_id)s, %(address)s, 'blood_pressure', 'synthetic cuff', true, %(now)s)
returning id;

-- add_assignment
-- Given, and confirmed by being nobody's but this.
insert into device_assignment (practice_id, device_id, patient_id, during)
values (%(practice_id)s, %(device_id)s, %(patient_id)s, tstzrange(%(now)s, null));

-- set_contact
-- Its pages go to another address.
update contact set address = %(email)s where staff_id = %(staff_id)s and removed_at is null;

-- newest
-- The newest alert of a synthetic patient.
select alert.public_id, alert.opened_at
from patient join alert on alert.patient_id = patient.id
where patient.synthetic and alert.kind = 'clinical'
order by alert.opened_at desc
limit 1;

-- close_told
-- Alerts of synthetic patients whose message was taken, or that are old: the next red has to be an alert of its own.
update alert
set status = 'closed', closed_at = %(now)s, disposition = 'no_action', note = 'Synthetic: closed by itself.',
    next_step_at = null, snoozed_until = null, snooze_reason = null, updated_at = %(now)s, version = version + 1
where id in (
    select alert.id
    from patient join alert on alert.patient_id = patient.id
    where patient.synthetic and alert.status <> 'closed' and alert.kind <> 'technical'
        and (
            alert.opened_at <= %(before)s
            or exists (select from notification where notification.alert_id = alert.id and notification.state = 'sent')
        )
    order by alert.id
    limit %(limit)s
    for update of alert skip locked
)
returning id, practice_id;
