"""Two networks and the one line between them, in namespaces of their own: run inside `unshare --user --net`.

    network_keeper SOCKET_FD IP

The first namespace is the home, a second one the street; `home0` (10.77.0.1) and `street0` (10.77.0.2) are the two ends of
the line. Two listening sockets are passed to whoever started us, over the unix socket SOCKET_FD: 127.0.0.1:6402 inside
the home, and 10.77.0.2:1883 in the street. A socket belongs to the namespace in which it was made, so that a process
outside accepts what is said inside. Lives until the unix socket is closed.
"""

import ctypes
import os
import socket
import subprocess
import sys

HOME, STREET = "10.77.0.1", "10.77.0.2"
BROKER_PORT, HCI_PORT = 1883, 6402
_CLONE_NEWNET = 0x40000000


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.create_server((host, port))
    listening.setblocking(False)
    return listening


def _street(ip: str, ready: int, go: int, answers: socket.socket) -> None:
    """The child: a namespace of its own; waits for its end of the line, then listens on it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    os.write(ready, b"x")
    os.read(go, 1)
    for arguments in (f"addr add {STREET}/24 dev street0", "link set street0 up", "link set lo up"):
        subprocess.run([ip, *arguments.split()], check=True)
    with _listen(STREET, BROKER_PORT) as listening:
        socket.send_fds(answers, [b"street"], [listening.fileno()])
        answers.recv(1)


def main() -> None:
    """Make both, pass the sockets out, and wait."""
    answers = socket.socket(fileno=int(sys.argv[1]))
    ip = sys.argv[2]
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()
    child = os.fork()
    if not child:
        try:
            _street(ip, ready_write, go_read, answers)
        finally:
            os._exit(0)
    os.read(ready_read, 1)
    made = f"link add home0 type veth peer name street0 netns {child}"
    for arguments in (made, f"addr add {HOME}/24 dev home0", "link set home0 up", "link set lo up"):
        subprocess.run([ip, *arguments.split()], check=True)
    os.write(go_write, b"x")
    with _listen("127.0.0.1", HCI_PORT) as listening:
        socket.send_fds(answers, [b"home"], [listening.fileno()])
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
