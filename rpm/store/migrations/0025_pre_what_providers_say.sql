-- What providers say of a message, kept from before our own "sent" is written, and the names they gave to what they took.
alter table notification add column reports jsonb not null default '[]';
alter table notification add column message_ids text[] not null default '{}';
-- When the owner of a number wrote STOP: nothing is sent to it until START.
alter table contact add column stopped_at timestamptz;
