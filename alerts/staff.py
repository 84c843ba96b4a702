"""Who can be told of an alert, and by what: people, and the contacts each has proven."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from alerts.channels import Name


@dataclass(frozen=True, slots=True)
class Contact:
    """One way to reach somebody. `verified`: the owner has answered from it, and not too long ago."""

    contact_id: int
    channel: Name
    address: str
    verified: bool = True


@dataclass(frozen=True, slots=True)
class StaffMember:
    """Somebody who can be told, by contacts in the order in which they are tried."""

    staff_id: int
    practice_id: int
    username: str
    role: str
    contacts: tuple[Contact, ...]
    active: bool = True

    @property
    def told(self) -> bool:
        """Whether a message goes to this person at all."""
        return self.active and bool(self.contacts)

    @property
    def counts(self) -> bool:
        """Whether a message is known to arrive: only then is the person relied upon (F60)."""
        return self.active and any(contact.verified for contact in self.contacts)

    def first_contacts(self, by: Sequence[Name] = ()) -> tuple[Contact, ...]:
        """Where a call goes first: by all of these channels, or by the first contact; verified before unverified."""
        wanted = [contact for contact in self._in_order if contact.channel in by]
        return tuple(wanted) or self._in_order[:1]

    def next_contact(self, tried: Collection[int]) -> Contact | None:
        """Where a call goes when those tried could not be reached; None: there is nothing left."""
        return next((contact for contact in self._in_order if contact.contact_id not in tried), None)

    @property
    def _in_order(self) -> tuple[Contact, ...]:
        return tuple(sorted(self.contacts, key=lambda contact: not contact.verified))
