-- How many keys a call has heard: few, and none once it has acknowledged. What a summary told is found by it.
alter table notification add column keys_heard smallint not null default 0;
create index notification_told_in on notification (told_in) where told_in is not null;
