-- The home as the clinic sees it: a device is somebody's only once a reading was confirmed as theirs, and a member of staff
-- may look after boxes and devices without seeing what they measure.

-- Nothing of a newly assigned device is filed before a test reading was confirmed (A5). Those assigned before this
-- migration stay as they are: their readings were filed long ago.
alter table device_assignment
    add column pending boolean not null default false,
    add column confirmed_at timestamptz,
    add column confirmed_by bigint references staff,
    -- 'patient': read the number off the display on the phone; 'second person': another than who assigned it;
    -- 'claim': somebody claimed a held reading of it for the patient
    add column confirmed_how text check (confirmed_how in ('patient', 'second person', 'claim')),
    -- the reading that was confirmed
    add column confirmed_reading uuid;
create index device_assignment_pending on device_assignment (practice_id) where pending;

-- The reading that proves that monitoring was set up: an auditor asks for it with 99453.
alter table enrolment add column set_up_reading uuid;

alter table staff drop constraint staff_role_check;
alter table staff add constraint staff_role_check check (role in ('nurse', 'support', 'biller', 'admin'));
