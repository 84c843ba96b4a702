"""Keys of the database's advisory locks, in one place: two that share a key wait for each other without a reason."""

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """What only one at a time may do, in any process of the installation."""

    #: Taken within the database (`0001_pre_the_whole_path.sql`), never from here.
    AUDIT_CHAIN = 20_260_001
    MIGRATE = 20_260_002
    REVOKE = 20_260_003
    LET_GO = 20_260_004
    ROLL_UP = 20_260_005
