-- What was let go for its age: before this instant nothing is complete any more, and no sum of it is made anew.
create table retention (
    id bigint generated always as identity primary key,
    relation text not null check (relation in ('message', 'reading')),
    dropped_before timestamptz not null
);
