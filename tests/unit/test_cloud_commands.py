"""`rpm-cloud` as a person meets it: what cannot be done is one line on stderr that says what to do, and exit status 2."""

import sys

import pytest

from rpm.__main__ import main
from rpm.errors import UserError
from rpm.ingest.subscriber import broker_address

COMMANDS_WITH_A_DATABASE = [
    ("migrate",),
    ("worker",),
    ("user", "list"),
    ("user", "disable", "nora"),
    ("quarantine", "list", "--as", "nora"),
    ("gateway", "list", "--as", "nora"),
    ("billing", "report", "--month", "2026-10"),
    ("bench", "clean"),
]


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["rpm-cloud", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return code, out, err


@pytest.mark.parametrize("arguments", COMMANDS_WITH_A_DATABASE, ids=" ".join)
@pytest.mark.parametrize(
    "dsn, told",
    [
        ("", "RPM_DSN is not set: PostgreSQL with TimescaleDB, e.g. postgresql://"),
        ("hello", "RPM_DSN is not a connection string: "),
        # Port 1 is nobody's: the connection is refused at once.
        ("postgresql://rpm@127.0.0.1:1/rpm", "The database cannot be reached: check RPM_DSN and that the server runs."),
    ],
)
def test_a_database_that_is_not_to_be_had_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    dsn: str,
    told: str,
) -> None:
    monkeypatch.setenv("RPM_DSN", dsn)
    monkeypatch.setenv("RPM_BROKER_URL", "mqtt://worker:secret@127.0.0.1:1")
    status, out, err = call(monkeypatch, capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"rpm-cloud: {told}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("nosuch",), "No such command 'nosuch'. See: "),
        (("bench", "ingest", "--homes", "0"), "Invalid value for '--homes'"),
        (("bench", "ingest", "--rate", "fast"), "Invalid value for '--rate'"),
        (("bench", "ingest", "--local", "--dsn", "x"), "--local brings servers of its own: name none beside it"),
        (("quarantine", "list"), "Missing option '--as'. See: "),
        (("quarantine", "show", "many", "--as", "nora"), "Invalid value for 'number'"),
        (("quarantine", "show", "9223372036854775808", "--as", "nora"), "Invalid value for 'number'"),
        (("user", "add", "nora", "--role", "king"), "Invalid value for '--role'"),
        (("user", "add", "nora", "--role", "nurse", "--email", "nonsense"), "--email wants an address such as"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    status, out, err = call(monkeypatch, capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"rpm-cloud: {told}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("url", ["hello", "mqtt://", "http://h", "mqtt://h:99999", "mqtt://[::1", "mqtt://u:p@h:x"])
def test_a_broker_url_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(UserError, match=r"^RPM_BROKER_URL is not a broker's URL: want mqtt://") as raised:
        broker_address(url)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name, value", [("RPM_PUBLIC_URL", "javascript:alert(1)"), ("RPM_WEB_PORT", "0")])
def test_a_setting_that_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    status, _, err = call(monkeypatch, capsys, "user", "list")
    assert (status, err.startswith(f"rpm-cloud: {name} is wrong: "), err.count("\n")) == (2, True, 1)


def test_help_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(monkeypatch, capsys, "user", "--help")
    assert (status, err) == (0, "")
    assert "disable" in out
