"""The bounded queue between the broker's callbacks, which only append, and the loop, which works at its own pace."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from rpm.ingest.unpack import Message

#: More than the broker should ever leave unacknowledged with us; some brokers do not keep to what we ask (2.0.x).
INBOX_MESSAGES_MAX: Final = 16_000
INBOX_BYTES_MAX: Final = 64 * 1024 * 1024
#: One transaction settles at most this much.
BATCH_MESSAGES_MAX: Final = 1000
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
#: How long the first message of a batch waits for company.
LINGER_S: Final = 0.002


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and what acknowledges it: `mid` means something only on the connection `generation`."""

    message: Message
    mid: int
    generation: int


class Inbox:
    """First in, first out, between two threads."""

    def __init__(self) -> None:
        self._deliveries: deque[Delivery] = deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._deliveries)

    def put(self, delivery: Delivery) -> bool:
        """Append, never waiting; False where there is no room."""
        size = len(delivery.message.payload)
        with self._changed:
            if len(self._deliveries) >= INBOX_MESSAGES_MAX or self._bytes + size > INBOX_BYTES_MAX:
                return False
            self._deliveries.append(delivery)
            self._bytes += size
            self._changed.notify()
        return True

    def take(self, *, wait_s: float) -> list[Delivery]:
        """The next batch, bounded in count, bytes and time; empty where nothing came within `wait_s`."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._deliveries), timeout=wait_s):
                return []
            full = len(self._deliveries) >= BATCH_MESSAGES_MAX or self._bytes >= BATCH_BYTES_MAX
        if not full:
            # Asleep, not waiting on the condition: that would wake for every single message.
            time.sleep(LINGER_S)
        with self._changed:
            batch: list[Delivery] = []
            size = 0
            while self._deliveries and len(batch) < BATCH_MESSAGES_MAX and size < BATCH_BYTES_MAX:
                delivery = self._deliveries.popleft()
                batch.append(delivery)
                size += len(delivery.message.payload)
            self._bytes -= size
        return batch
