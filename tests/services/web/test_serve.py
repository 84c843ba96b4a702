"""`rpm-cloud serve` and `rpm-cloud user` as a person meets them: it works, or one line says what to do."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from rpm.demo.processes import free_port
from tests.support.clinic import Clinic

ROOT = Path(__file__).parents[3]
PASSWORD = "a-good-long-password"


def run(*words: str, said: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RPM_")}
    return subprocess.run(
        [sys.executable, "-m", "rpm", *words],
        cwd=ROOT,
        env={**environment, **settings},
        input=said,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def complaint(answer: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr of a command that gave up."""
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr.count("\n") == 1, answer.stderr
    return answer.stderr


def test_without_a_dsn() -> None:
    assert "RPM_DSN is not set" in complaint(run("serve", "--web-only"))


def test_the_worker_needs_a_broker(dsn: str) -> None:
    assert "RPM_BROKER_URL is not set" in complaint(run("serve", RPM_DSN=dsn))


def test_a_busy_port(dsn: str) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert f"port {port} is in use" in complaint(run("serve", "--web-only", RPM_DSN=dsn, RPM_WEB_PORT=str(port)))


def test_a_wrong_port_setting(dsn: str) -> None:
    assert "RPM_WEB_PORT is wrong" in complaint(run("serve", "--web-only", RPM_DSN=dsn, RPM_WEB_PORT="99999"))


def test_no_database_there() -> None:
    nowhere = f"postgresql://rpm@127.0.0.1:{free_port()}/rpm"
    told = complaint(run("serve", "--web-only", RPM_DSN=nowhere, RPM_WEB_PORT=str(free_port())))
    assert "cannot be reached" in told


def test_a_database_that_was_not_migrated(empty_dsn: str) -> None:
    told = complaint(run("serve", "--web-only", RPM_DSN=empty_dsn, RPM_WEB_PORT=str(free_port())))
    assert "rpm-cloud migrate" in told


def test_a_rules_file_that_cannot_be_used(dsn: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\nid = 3\n", "utf-8")
    settings = {"RPM_DSN": dsn, "RPM_WEB_PORT": str(free_port()), "RPM_RULES_FILE": str(rules)}
    assert "RPM_RULES_FILE" in complaint(run("serve", "--web-only", **settings))


def test_it_serves_and_goes_down_when_told(dsn: str) -> None:
    port = free_port()
    environment = {**os.environ, "RPM_DSN": dsn, "RPM_WEB_PORT": str(port)}
    with subprocess.Popen(
        [sys.executable, "-m", "rpm", "serve", "--web-only"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as served:
        try:
            deadline = time.monotonic() + 30
            answer: httpx.Response | None = None
            while answer is None and time.monotonic() < deadline and served.poll() is None:
                try:
                    answer = httpx.get(f"http://127.0.0.1:{port}/login")
                except httpx.TransportError:
                    time.sleep(0.1)
            assert answer is not None, served.communicate()[0]
            assert "Sign in" in answer.text
            assert "server" not in answer.headers
        finally:
            served.terminate()
        said = served.communicate(timeout=20)[0]
    assert "Traceback" not in said


def test_users_from_the_command_line(clinic: Clinic) -> None:
    dsn = clinic.database.dsn
    added = run("user", "add", "Lena", "--role", "nurse", "--name", "Lena B.", said=f"{PASSWORD}\n", RPM_DSN=dsn)
    assert added.stdout == "lena may sign in as nurse\n", added.stderr
    again = run("user", "add", "lena", "--role", "admin", said=f"{PASSWORD}\n", RPM_DSN=dsn)
    assert "there is a user lena already" in complaint(again)
    listed = run("user", "list", RPM_DSN=dsn).stdout
    assert "lena" in listed
    assert "Maple Street Clinic" in listed
    assert run("user", "password", "lena", said=f"{PASSWORD}-2\n", RPM_DSN=dsn).returncode == 0
    assert "switched off" in run("user", "disable", "lena", RPM_DSN=dsn).stdout
    assert "(switched off)" in run("user", "list", RPM_DSN=dsn).stdout
    assert "may sign in again" in run("user", "enable", "lena", RPM_DSN=dsn).stdout
    assert "there is no user nobody" in complaint(run("user", "disable", "nobody", RPM_DSN=dsn))


def test_a_weak_password_is_refused(clinic: Clinic) -> None:
    answer = run("user", "add", "lena", "--role", "nurse", said="short\n", RPM_DSN=clinic.database.dsn)
    assert "12 to 256 characters" in complaint(answer)
    assert "short" not in answer.stderr


def test_the_first_account_makes_its_practice(dsn: str) -> None:
    answer = run("user", "add", "ada", "--role", "admin", said=f"{PASSWORD}\n", RPM_DSN=dsn)
    assert "--new-practice" in complaint(answer)
    words = ("user", "add", "ada", "--role", "admin", "--new-practice", "Elm Clinic", "--time-zone")
    assert "America/New_York" in complaint(run(*words, "Elm", said=f"{PASSWORD}\n", RPM_DSN=dsn))
    made = run(*words, "America/Denver", said=f"{PASSWORD}\n", RPM_DSN=dsn)
    assert made.stdout == "ada may sign in as admin\n", made.stderr
