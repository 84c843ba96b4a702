"""An enrolled address behind which another serial number answers: held, and not silently filed."""

from dataclasses import replace

from rpm.ingest.admit import Admitted, Quarantined
from rpm.ingest.reasons import Reason
from schemas.reading import Reading
from tests.support.readings import CUFF, pressure
from tests.unit.ingest.test_admit import AT, MARIA, PRACTICE, _admit, _known


def test_another_device_behind_a_known_address_is_held_and_whoever_looked_may_release_it() -> None:
    """F10: an address is easily had by another device. Held with its patient: a red value of it still calls."""
    known = _known()
    cuff = known.devices[PRACTICE, CUFF]
    known = replace(known, devices={(PRACTICE, CUFF): replace(cuff, serial="0A0001")})

    def of(serial: str | None) -> Reading:
        reading = pressure(182, 104, AT)
        return reading.model_copy(update={"device": reading.device.model_copy(update={"serial": serial})})

    held = _admit(of("0B0002"), known)
    assert isinstance(held, Quarantined)
    assert (held.reason, held.pointer, held.patient_id) == (Reason.ANOTHER_DEVICE, "/reading/device/serial", MARIA)
    assert isinstance(_admit(of("0B0002"), known, released=True), Admitted)
    assert isinstance(_admit(of("0A0001"), known), Admitted)
    assert isinstance(_admit(of(None), known), Admitted), "many never say"
    assert isinstance(_admit(of("0B0002")), Admitted), "and the first to say is the one that was handed out"
