"""A clinic with somebody of each role, the pages over it, and people signed in."""

from collections.abc import Iterator

import pytest

from rpm.store.database import Database
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.visitor import Visitor
from tests.support.website import Website


@pytest.fixture
def clinic(database: Database, clock: SettableClock) -> Clinic:
    """Two nurses (rosa, kim), support staff, a biller and an administrator; the pipeline lives."""
    clinic = Clinic(database, now=clock())
    clinic.staff("rosa", name="Rosa N.")
    clinic.staff("kim", name="Kim L.")
    for role in ("nurse", "support", "biller", "admin"):
        clinic.staff(role, role)
    clinic.pipeline_lives()
    return clinic


@pytest.fixture
def website(clinic: Clinic, clock: SettableClock) -> Iterator[Website]:
    """The pages over the clinic."""
    with Website(clinic.database, clock) as website:
        yield website


@pytest.fixture
def visitor(website: Website) -> Visitor:
    """Somebody who has not signed in."""
    return Visitor(website)


@pytest.fixture
def rosa(website: Website) -> Visitor:
    """A nurse, signed in."""
    return Visitor(website).sign_in("rosa")


@pytest.fixture
def kim(website: Website) -> Visitor:
    """Her colleague, signed in."""
    return Visitor(website).sign_in("kim")


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    """A patient."""
    return clinic.patient("Maria", "Alvarez")
