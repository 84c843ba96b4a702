"""A home's network and the street's, joined by one line that can be cut, narrowed and made to lose packets.

Method: `unshare` gives both namespaces without root (see `network_keeper`); rules are the kernel's own (nft, tc). What runs
in the home is started through `enter`. Nothing of the machine's own network is touched.
"""

import os
import shutil
import socket
import subprocess
import sys
from typing import Self

from tests.support.network_keeper import BROKER_PORT, HCI_PORT, STREET
from tests.support.provisioning import ROOT, run_script

READY_S_MAX = 20.0
TABLE = "inet line"


class Network:
    """The two networks, made. `broker` and `hci` are what the home's processes reach from inside; use as a context manager."""

    broker = f"{STREET}:{BROKER_PORT}"
    hci = f"127.0.0.1:{HCI_PORT}"

    def __enter__(self) -> Self:
        self._nft, self._tc, ip = (run_script("tools.sh", name) for name in ("nft", "tc", "ip"))
        ours, theirs = socket.socketpair()
        unshare = shutil.which("unshare")
        assert unshare is not None, "unshare (util-linux) is on every Debian"
        self._keeper = subprocess.Popen(
            [unshare, "--user", "--map-root-user", "--net", "--",
             sys.executable, "-m", "tests.support.network_keeper", str(theirs.fileno()), ip],
            pass_fds=[theirs.fileno()], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        theirs.close()
        self._answers = ours
        ours.settimeout(READY_S_MAX)
        sockets: dict[str, socket.socket] = {}
        while len(sockets) < 2:
            name, fds, _, _ = socket.recv_fds(ours, 16, 1)
            if not name:
                assert self._keeper.stderr is not None
                raise RuntimeError(f"no namespaces on this machine: {self._keeper.stderr.read().decode()[-300:]}")
            sockets[name.decode()] = socket.socket(fileno=fds[0])
        #: Listening: where the home's processes look for the broker, and for the radio's controller.
        self.street, self.home = sockets["street"], sockets["home"]
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._keeper.kill()
        self._keeper.wait(READY_S_MAX)
        assert self._keeper.stderr is not None
        self._keeper.stderr.close()

    def enter(self, command: list[str]) -> list[str]:
        """The command that runs `command` in the home."""
        nsenter = shutil.which("nsenter")
        assert nsenter is not None, "nsenter (util-linux) is on every Debian"
        target = f"--target={self._keeper.pid}"
        return [nsenter, target, "--user", "--net", "--preserve-credentials", "--", *command]

    # The line --------------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Whole again: no rule, no limit, the link up."""
        self._run([self._nft, f"add table {TABLE}; delete table {TABLE}"])
        self._run([self._tc, "qdisc", "del", "dev", "home0", "root"], check=False)

    def lose(self, percent: int) -> None:
        """Drop so many packets of a hundred in each direction, at random."""
        self._rules(f"numgen random mod 100 < {percent} drop")

    def cut(self) -> None:
        """Drop everything, and tell nobody."""
        self._rules("drop")

    def refuse(self) -> None:
        """Answer everything with a TCP reset."""
        self._rules("meta l4proto tcp reject with tcp reset")

    def narrow(self, kilobit_s: int) -> None:
        """So many kilobits a second up, and not more."""
        self._run([self._tc, "qdisc", "replace", "dev", "home0", "root", "tbf",
                   "rate", f"{kilobit_s}kbit", "burst", "2kb", "latency", "400ms"])  # fmt: skip

    def _rules(self, verdict: str) -> None:
        self.heal()
        chains = "".join(
            f"add chain {TABLE} {hook} {{ type filter hook {hook} priority 0; }};"
            f"add rule {TABLE} {hook} {match} home0 {verdict};"
            for hook, match in (("input", "iifname"), ("output", "oifname"))
        )
        self._run([self._nft, f"add table {TABLE};{chains}"])

    def _run(self, command: list[str], *, check: bool = True) -> None:
        done = subprocess.run(
            self.enter(command), capture_output=True, text=True, timeout=READY_S_MAX, check=False, env=os.environ
        )
        if check and done.returncode:
            raise RuntimeError(done.stderr.strip()[-300:])
