-- What is held may be worked through again: then it is neither released nor claimed by anybody.
alter table held drop constraint held_state_check;
alter table held add constraint held_state_check
    check (state in ('held', 'released', 'claimed', 'void', 'replayed'));
