"""Claim codes are read off labels by people: however one is typed it is the same code, or none."""

import json

import pytest

from schemas.enrolment import RenewRequest, normal_claim_code


@pytest.mark.parametrize(
    "typed",
    ["7K2M-9QXA-B3TD-01ZE", "7k2m9qxab3td01ze", " 7K2M 9QXA B3TD 01ZE ", "7K2M-9QXA-B3TD-OIZE", "7k2m-9qxa-b3td-0lze"],
)
def test_a_code_is_the_same_however_it_is_typed(typed: str) -> None:
    assert normal_claim_code(typed) == "7K2M-9QXA-B3TD-01ZE"


@pytest.mark.parametrize(
    "typed", ["", "7K2M-9QXA-B3TD", "7K2M-9QXA-B3TD-0WZEE", "7K2M-9QXA-B3TD-0WZU", "7K2M-9QXA-B3TD-0WZ#"]
)
def test_what_cannot_be_a_code_is_told_so(typed: str) -> None:
    with pytest.raises(ValueError, match="16 letters and digits"):
        normal_claim_code(typed)


@pytest.mark.parametrize(
    "written", ["2026-03-01T12:00:00Z", "2026-03-01T07:00:00-05:00", "2026-03-01T12:00:00.000000+00:00"]
)
def test_what_a_renewal_signs_does_not_depend_on_how_its_instant_was_written(written: str) -> None:
    """Both sides write the text anew: pydantic's own way of writing an instant is not Python's."""
    csr = "-----BEGIN CERTIFICATE REQUEST-----\nMA==\n-----END CERTIFICATE REQUEST-----\n"
    request = RenewRequest.model_validate_json(
        json.dumps({"gateway_id": "gw-home-a", "csr": csr, "signed_at": written, "signature": "MEQ="})
    )
    assert RenewRequest.model_validate_json(request.model_dump_json()).signed() == request.signed()
    assert request.signed() == f"rpm renewal v1\ngw-home-a\n2026-03-01T12:00:00.000000+00:00\n{csr}".encode()
