-- A device that came back: whether what its last user measured is out of its memory, who says so, and how it was done.
alter table device_assignment
    add column wiped_at timestamptz,
    add column wiped_by bigint references staff,
    add column wiped_how text check (wiped_how in ('memory cleared', 'factory reset', 'keeps no memory')),
    add check (wiped_at is null or (upper(during) <= wiped_at and wiped_by is not null and wiped_how is not null));
