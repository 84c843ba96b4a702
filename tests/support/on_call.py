"""People on call, for decisions that know no database."""

from alerts.channels import Name
from alerts.staff import Contact, StaffMember

PRACTICE_ID = 7


def member(number: int, username: str, role: str, *, verified: bool = True) -> StaffMember:
    """Somebody with an e-mail address."""
    contact = Contact(number, Name.EMAIL, f"{username}@clinic.example", verified)
    return StaffMember(number, PRACTICE_ID, username, role, (contact,))
