"""The outbox: what the home has heard and the cloud has not yet confirmed. The only place that touches sqlite3.

keep()            a frame, durable when it returns, from inside the notification callback
finish_session()  frames become rows, in one transaction
due() mark_sent() settle()   rows travel until the cloud's receipt names them
"""

from gateway.outbox.boots import Boot, Boots
from gateway.outbox.outbox import Outbox
from gateway.outbox.records import EventRow, Form, Gap, Kept, KeptSession, NewRow, Row, Stats
from gateway.outbox.store import Stamp

__all__ = [
    "Boot",
    "Boots",
    "EventRow",
    "Form",
    "Gap",
    "Kept",
    "KeptSession",
    "NewRow",
    "Outbox",
    "Row",
    "Stamp",
    "Stats",
]
