"""CASE.json: every example runs, every mistake is one line that names the field, and the command says the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import rpm.billing
from rpm.__main__ import build
from rpm.billing.casefile import CaseFile, format_help, read_case
from rpm.billing.evaluate import billable_items
from rpm.errors import UserError

EXAMPLES = Path(rpm.billing.__file__).parent / "examples"

#: What each example shows: the codes of its items, of what is so far, and one name its answer must bear.
EXPECTED: dict[str, tuple[dict[str, int], dict[str, int], str]] = {
    "full_month": ({"99454": 1, "99453": 1, "99457": 1}, {}, "FULL_CODE_INSTEAD"),
    "short_supply_and_short_management": ({"99445": 1, "99453": 1, "99470": 1}, {}, "TOO_FEW_DAYS"),
    "period_still_open": ({}, {"99445": 1, "99453": 1, "99470": 1}, "TOO_FEW_MINUTES"),
    "sixteen_days_out_of_reach": ({}, {"99445": 1, "99453": 1}, "OUT_OF_REACH"),
    "no_live_contact": ({"99454": 1, "99453": 1}, {}, "NO_LIVE_CONTACT"),
    "no_consent_no_order": ({}, {}, "NO_CONSENT"),
    "order_after_first_readings": ({"99454": 1, "99453": 1}, {}, "BEFORE_SERVICE_START"),
    "late_data_and_claim_lock": ({"99445": 1, "99453": 1}, {}, "CORRECTED_CLAIM"),
    "readings_that_do_not_count": ({"99445": 1, "99453": 1}, {}, "MANUAL"),
    "gap_in_one_episode": ({"99454": 1, "99453": 1, "99445": 1}, {}, "SET_UP_BILLED"),
    "minutes_across_midnight_and_two_staff": ({"99454": 1, "99453": 1, "99470": 1, "99457": 1}, {}, "TOO_FEW_DAYS"),
    "one_nurse_two_patients": ({"99454": 1, "99453": 1}, {}, "STAFF_CONFLICT"),
    "minutes_in_two_services": ({"99454": 1, "99453": 1, "99457": 1}, {}, "OTHER_SERVICE"),
    "payer_counts_calendar_months": ({"99454": 1, "99453": 1}, {}, "SET_UP_BILLED"),
    "payer_not_known": ({}, {}, "PAYER_PROFILE_UNKNOWN"),
    "another_practice_billed_supply": ({}, {}, "ONE_PRACTITIONER"),
    "proposed_claim_refused": ({"99454": 1, "99453": 1, "99457": 1}, {}, "SUPPLY_SHORT_WITH_FULL"),
    "stay_over_claimed_first_days": ({"99445": 1, "99453": 1, "99470": 1}, {}, "ANCHOR_KEPT"),
    "episode_ended_by_death": ({"99445": 1, "99453": 1}, {}, "TOO_FEW_DAYS"),
}


def run(path: Path) -> Any:
    return CliRunner().invoke(build(), ["billing", "evaluate", str(path)])


def test_every_example_is_expected_and_every_expectation_has_its_example() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_says_what_it_shows(name: str) -> None:
    items, so_far, bears = EXPECTED[name]
    answered = run(EXAMPLES / f"{name}.json")
    assert answered.exit_code == 0
    answer = json.loads(answered.stdout)
    assert {item["code"]: item["units"] for item in answer["items"]} == items
    assert {item["code"]: item["units"] for item in answer["so_far"]} == so_far
    assert f'"name": "{bears}"' in answered.stdout
    for item in (*answer["items"], *answer["so_far"]):
        assert item["reason"]
        assert item["reading_ids"] or item["entry_ids"]


def good() -> dict[str, Any]:
    return json.loads((EXAMPLES / "full_month.json").read_text())


ABSENT = object()


@pytest.mark.parametrize(
    "place, value, told",
    [
        (("practice_zone",), ABSENT, "practice_zone: Field required"),
        (("practice_zone",), "Mars/Olympus", "practice_zone: 'Mars/Olympus' is not an IANA time zone"),
        (("practice_zone",), "../etc/passwd", "practice_zone: '../etc/passwd' is not an IANA time zone"),
        (("as_of",), "soon", "as_of: write a date (2026-01-15) or an instant"),
        (("as_of",), "2026-03-01T12:00:00", "as_of: an instant needs its offset"),
        (("order",), 20260115, "order: write a date (2026-01-15) or an instant"),
        (("established_patient",), "yes", "established_patient: Input should be a valid boolean"),
        (("consents",), "2026-01-15", "consents: Extra inputs are not permitted"),
        (("readings", 3, "measured_at"), "2026-01-18T12:00:00", "readings[3].measured_at: "),
        (("readings", 0, "source"), "guessed", "readings[0].source: Input should be 'automatic' or 'manual'"),
        (("readings", 0, "state"), "fine", "readings[0].state: "),
        (("time_entries", 1, "end"), "2026-01-27T09:00:00-05:00", "time_entries[1]: end must be after start"),
        (("time_entries", 0, "interactive"), ABSENT, "time_entries[0].interactive: Field required"),
        (("claim_hold_days",), -1, "claim_hold_days: "),
        (("claim_locks",), {"January": "2026-01-01T00:00:00Z"}, "claim_locks"),
        (("anchor",), "2026-13-01", "anchor: "),
        (("anchor",), "2026-01-15T00:00:00Z", "anchor: write a date (2026-01-15)"),
        (("died",), 0, "died: write a date (2026-01-15)"),
        (("claim_hold_days",), True, "claim_hold_days: Input should be a valid integer"),
        (("readings", 1, "received_at"), 1767225600, "readings[1].received_at: write an instant with its offset"),
        (("time_entries", 0, "start"), "1767225600", "time_entries[0].start: write an instant with its offset"),
        (("two\nlines",), 1, "'two\\nlines': Extra inputs are not permitted"),
        (("as_of",), "9999-12-31", "as_of: the year must be 1970 to 2100"),
        (("order",), "0001-01-01", "order: the year must be 1970 to 2100"),
        (("readings", 2, "measured_at"), "0001-01-01T00:00:00Z", "readings[2].measured_at: the year must be"),
        (("time_entries", 0, "start"), "0001-01-01T00:00:00+14:00", "time_entries[0].start: the year must be"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_field(
    tmp_path: Path, place: tuple[str | int, ...], value: object, told: str
) -> None:
    case = good()
    target: Any = case
    for step in place[:-1]:
        target = target[step]
    if value is ABSENT:
        del target[place[-1]]
    else:
        target[place[-1]] = value
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case))
    with pytest.raises(UserError) as refused:
        read_case(path)
    text = str(refused.value)
    assert text.startswith(f"{path}: {told}")
    assert "\n" not in text


@pytest.mark.parametrize("text", ["{", "[]", "null", "", '"case"', "\udcff", "[" * 100_000, "9" * 5000])
def test_a_file_that_is_no_case_is_told_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r"case\.json"):
        read_case(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_case(tmp_path / "absent.json")


def test_a_name_given_twice_is_told_and_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(good()).replace('"order": ', '"order": "2020-01-01", "order": ', 1))
    with pytest.raises(UserError, match=r"case\.json: 'order' is given twice in one object$"):
        read_case(path)


@pytest.mark.parametrize("spelled", ["set-up", "Set up", "setup", "SET-UP", "technical  support"])
def test_work_that_never_counts_is_known_however_it_is_spelled(tmp_path: Path, spelled: str) -> None:
    case = good()
    for entry in case["time_entries"]:
        entry["activity"] = spelled
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case))
    answer = json.loads(run(path).stdout)
    assert {item["code"] for item in answer["items"]} == {"99454", "99453"}


def test_help_documents_every_field_of_the_format() -> None:
    told = CliRunner().invoke(build(), ["billing", "evaluate", "--help"], env={"COLUMNS": "200"})
    assert told.exit_code == 0
    for name in CaseFile.model_fields:
        assert f"{name} (" in told.stdout
    assert ": None" not in format_help()


def test_a_date_as_of_is_the_end_of_that_day() -> None:
    case = good()
    case["as_of"] = "2026-02-13"
    closed = billable_items(CaseFile.model_validate(case).case())
    assert "99454" in {item.code for item in closed.items}
    case["as_of"] = "2026-02-13T23:59:59-05:00"
    still_open = billable_items(CaseFile.model_validate(case).case())
    assert "99454" in {item.code for item in still_open.so_far}
