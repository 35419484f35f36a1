"""
Run a phase in the warm server, or as plain ``python -m`` when there is none.

Called as ``python -I -S .../client.py scripts.score ARGS...``. Every millisecond here is paid once
per job, so only built-in modules are imported, and `_socket` only when there is a server.
The request is an 8-byte length and NUL-separated fields (neither arguments nor environment can
hold a NUL); the answer is `STARTED`, then a signed 4-byte exit code.
"""

import _signal  # type: ignore[import-not-found]
import posix
import sys

TYPE_CHECKING = False  # importing `typing` would take longer than all the rest
if TYPE_CHECKING:
    import _socket

STARTED = b"S"
"""The server has taken the job: from now on it must not be run a second time."""
NOT_RUN = -1
"""Instead of an exit code: the server could not fork, the job has not been run."""
START_TIMEOUT_S = 30.0
"""How long to wait for `STARTED` before running the job as plain python."""
INTERRUPT_GRACE_S = 5.0
"""How long the child, which is interrupted together with the client, may take to end."""


def python_path(root: bytes, existing: bytes) -> bytes:
    """
    Put the checkout first on a ``PYTHONPATH``.

    Examples
    --------
    >>> python_path(b"/checkout", b""), python_path(b"/checkout", b"/lib"), python_path(b"/a", b"/a:/b")
    (b'/checkout', b'/checkout:/lib', b'/a:/b')
    """
    if not existing or (existing + b":").startswith(root + b":"):
        return existing or root
    return root + b":" + existing


def encode_request(argv: list[str], environment: dict[bytes, bytes]) -> bytes:
    """Encode what a child needs to act in this process's place."""
    umask = posix.umask(0o077)
    posix.umask(umask)
    encoding = sys.getfilesystemencoding()
    ending = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM)
    ignored = sum(1 << number for number in ending if _signal.getsignal(number) is _signal.SIG_IGN)
    numbers = (posix.getpgrp(), umask, ignored, len(argv))
    body = b"\0".join(
        [
            *[b"%d" % number for number in numbers],
            posix.getcwdb(),
            *[argument.encode(encoding, "surrogateescape") for argument in argv],
            *[b"%b=%b" % pair for pair in environment.items()],
        ]
    )
    return len(body).to_bytes(8, "big") + body


def run_warm(address: bytes, argv: list[str], environment: dict[bytes, bytes]) -> int:
    """Have the server run the job; return its exit code, or `NOT_RUN` if it did not take it."""
    import _socket

    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    if connection.fileno() < 3:  # a standard stream is closed: the socket would pass for it
        return NOT_RUN
    descriptors = b"".join([number.to_bytes(4, sys.byteorder) for number in (0, 1, 2)])
    try:
        request = encode_request(argv, environment)
        connection.settimeout(START_TIMEOUT_S)
        connection.connect(address)
        n_sent = connection.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
        if n_sent < len(request):
            connection.sendall(request[n_sent:])
        answer = connection.recv(1)
    except OSError:
        try:  # after the shutdown no acknowledgement can arrive; one that already had must count
            connection.shutdown(_socket.SHUT_RDWR)
            answer = connection.recv(1)
        except OSError:
            answer = b""
    return wait_for_exit(connection, argv) if answer else NOT_RUN


def wait_for_exit(connection: "_socket.socket", argv: list[str]) -> int:
    """Return the exit code of a job that was started; 1 if its server is gone."""
    try:
        try:
            connection.settimeout(None)
            answer = connection.recv(4)
        except KeyboardInterrupt:
            connection.settimeout(INTERRUPT_GRACE_S)
            answer = connection.recv(4)
    except TimeoutError:
        return 130
    except OSError:
        answer = b""
    if len(answer) == 4:
        return int.from_bytes(answer, "big", signed=True)
    line = f"Error: {argv[0]}: the warm server ended while running this job; the job was not run again\n"
    posix.write(2, line.encode())
    return 1


def main() -> None:
    """Run the module that the arguments name; does not return."""
    argv = sys.argv[1:]
    if not argv:
        posix.write(2, b"usage: client.py MODULE [ARGUMENT ...]\n")
        posix._exit(2)
    environment = posix.environ
    root = __file__.rsplit("/", 3)[0].encode(sys.getfilesystemencoding(), "surrogateescape")
    path = python_path(root, environment.get(b"PYTHONPATH", b""))
    environment[b"PYTHONPATH"] = path
    address = environment.get(b"TRIALMAKE_WARM", b"off")
    try:
        code = NOT_RUN if address == b"off" else run_warm(address, argv, environment)
    except KeyboardInterrupt:
        code = 130
    if code == NOT_RUN:
        posix.putenv(b"PYTHONPATH", path)
        posix.execv(sys.executable, [sys.executable, "-m", *argv])
    posix._exit(code)  # there is nothing to clean up, and the interpreter would take its time


if __name__ == "__main__":
    main()
