"""What is told of a device beside its readings, once: that its model is nobody's, that its firmware is another one."""

from pathlib import Path

from devices.procedures import SessionFacts
from gateway.acquaintance import Acquaintances, News
from gateway.bonds import KnownDevices
from schemas.messages import EventName
from tests.unit.gateway.frames import CUFF

PRESSURE = frozenset({"2A35"})


def news(acquaintances: Acquaintances, facts: SessionFacts, characteristics: frozenset[str] = PRESSURE) -> list[News]:
    return acquaintances.news(1, facts, services=frozenset({"1810"}), characteristics=characteristics)


def test_a_model_that_is_not_listed_is_read_and_told_once_with_its_firmware() -> None:
    acquaintances = Acquaintances()
    facts = SessionFacts(manufacturer="Unheard of", model="C-1", firmware="9.9")
    assert news(acquaintances, facts) == [News(EventName.DEVICE_UNLISTED, "Unheard of C-1, firmware 9.9")]
    assert news(acquaintances, facts) == []


def test_a_listed_model_is_no_news_and_one_that_cannot_be_read_is_not_called_unlisted() -> None:
    assert news(Acquaintances(), SessionFacts(manufacturer="A&D", model="UA-651BLE")) == []
    told = news(Acquaintances(), SessionFacts(manufacturer="Unheard of", model="C-1"), frozenset({"FFF4"}))
    assert told == [News(EventName.DEVICE_UNSUPPORTED, "Unheard of C-1")]


def test_another_firmware_is_news_once_and_across_a_restart(tmp_path: Path) -> None:
    known = KnownDevices(tmp_path / "known.json")
    assert not known.has_new_firmware(CUFF, "1.0"), "the first one is no other"
    assert not known.has_new_firmware(CUFF, None)
    known = KnownDevices(tmp_path / "known.json")
    assert not known.has_new_firmware(CUFF, "1.0")
    assert known.has_new_firmware(CUFF, "2.0")
    assert not known.has_new_firmware(CUFF, "2.0")
