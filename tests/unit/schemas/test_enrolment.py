"""Claim codes are read off labels by people: however one is typed it is the same code, or none."""

import pytest

from schemas.enrolment import normal_claim_code


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
