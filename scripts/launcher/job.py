"""How a forked child becomes the job: it takes over all that ``python -m`` would get from its caller."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import importlib.util
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PRCTL = ctypes.CDLL(None).prctl
"""Looked up before the fork: every page that a child touches first is copied for it."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Request:
    """What the client has sent."""

    group: int
    """Process group of the client."""
    umask: int
    ignored: int
    """A bit for each of SIGHUP, SIGINT and SIGTERM that the client ignores, as its child then does."""
    cwd: bytes
    module: str
    arguments: list[str]
    environment: dict[bytes, bytes]

    @classmethod
    def decode(cls, body: bytes) -> Request:
        """
        Read what ``client.encode_request`` wrote.

        Raises
        ------
        ValueError
            If it is anything else.
        """
        group, umask, ignored, count, cwd, *rest = body.split(b"\0")
        n_arguments = int(count)
        module, *arguments = [os.fsdecode(argument) for argument in rest[:n_arguments]]
        pairs = [field.partition(b"=") for field in rest[n_arguments:]]
        environment = {name: value for name, _, value in pairs}
        return cls(int(group), int(umask), int(ignored), cwd, module, arguments, environment)


OWN_HANDLERS: dict[signal.Signals, Any] = {
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
"""What plain python does at the signals that ask a process to end."""


def _startup_settings(environment: dict[bytes, bytes]) -> dict[bytes, bytes]:
    names = (b"LANG", b"LC_ALL", b"LC_CTYPE")
    return {name: value for name, value in environment.items() if name.startswith(b"PYTHON") or name in names}


_OWN_SETTINGS = _startup_settings(dict(os.environb))


def _python_path(folder: str) -> list[str]:
    entries = os.environ.get("PYTHONPATH", "")
    return [str(Path(folder, entry)) for entry in entries.split(":")] if entries else []


_FILE_LIMITS = resource.getrlimit(resource.RLIMIT_NOFILE)
"""The server raises its own."""

_OWN_PATH = _python_path(str(Path.cwd()))
_LIBRARY_PATH = [entry for entry in sys.path[not sys.flags.safe_path :] if entry not in _OWN_PATH]


def reason_to_refuse(request: Request, prefix: str) -> str | None:
    """
    Say why a job must be run as plain python, or None.

    Plain python, started by this client, would not be as this process is if variables that python
    reads only when it starts differ (``PYTHONHASHSEED``), or if the client's folder has a package
    of the same name that would be found first.
    """
    if not request.module.startswith(prefix):
        return f"its name does not begin with {prefix}"
    settings = _startup_settings(request.environment)
    different = [os.fsdecode(name) for name, _ in sorted(settings.items() ^ _OWN_SETTINGS.items())]
    if different:
        return f"another value of {' '.join(dict.fromkeys(different))}"
    folder = Path(os.fsdecode(request.cwd))
    package = request.module.partition(".")[0]
    if folder != ROOT and os.access(folder / package / "__init__.py", os.F_OK):
        return f"{folder} has a package {package} of its own"
    return None


def run_and_exit(
    request: Request, streams: Sequence[int], *, server: int, close: Callable[[], None]
) -> NoReturn:
    """
    Be the job, in a process that was just forked.

    Parameters
    ----------
    request : Request
        The job.
    streams : sequence of int
        The client's standard input, output and error.
    server : int
        Process id of the parent, with which the job is to end.
    close : callable
        Closes the descriptors of the parent.
    """
    code = 1
    try:
        PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != server:  # it died before that line
            os._exit(code)
        close()
        _take_streams(streams)
        _take_place(request)
        code = _finish(_call_main(request))
    except BaseException as error:
        _show_exception(error)
    finally:
        os._exit(code)


def _take_streams(streams: Sequence[int]) -> None:
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    eager = 1 if os.environ.get("PYTHONUNBUFFERED") else -1
    for number, name, mode, buffering in (
        (0, "stdin", "r", -1),
        (1, "stdout", "w", eager),
        (2, "stderr", "w", 1),
    ):
        old = getattr(sys, f"__{name}__")
        stream = os.fdopen(number, mode, buffering, old.encoding, old.errors, closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _take_place(request: Request) -> None:
    with contextlib.suppress(OSError):  # a client of another session: the server still ends the job
        os.setpgid(0, request.group)  # Ctrl-C goes to the client's group
    for number, handler in OWN_HANDLERS.items():
        signal.signal(number, signal.SIG_IGN if request.ignored >> number & 1 else handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(request.umask)
    resource.setrlimit(resource.RLIMIT_NOFILE, _FILE_LIMITS)
    os.chdir(request.cwd)
    before = dict(os.environb)
    for name in before.keys() - request.environment.keys():
        del os.environb[name]
    for name, value in request.environment.items() - before.items():
        os.environb[name] = value
    time.tzset()
    folder = str(Path.cwd())
    path = dict.fromkeys([*_python_path(folder), *_LIBRARY_PATH])
    sys.path[:] = [*path] if sys.flags.safe_path else [folder, *path]
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        # `random` does this by itself; numpy would repeat the parent's numbers in every child.
        numpy_random.seed([*os.urandom(16)])


def _call_main(request: Request) -> int:
    try:
        spec = importlib.util.find_spec(request.module)
        if spec is None:
            sys.exit(f"{sys.executable}: No module named {request.module}")
        sys.argv = [spec.origin or request.module, *request.arguments]
        module = importlib.import_module(request.module)
        sys.modules["__main__"] = module
        sys.exit(module.main(request.arguments))
    except SystemExit as error:
        return _exit_code(error.code)
    except BaseException as error:
        _show_exception(error)
        return 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1


def _exit_code(code: object) -> int:
    """Exit code for what a ``SystemExit`` carries, as python has it."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _show_exception(error: BaseException) -> None:
    """Print what python prints, without the frame of the launcher that caught it."""
    trace = error.__traceback__ and (error.__traceback__.tb_next or error.__traceback__)
    sys.excepthook(type(error), error.with_traceback(trace), trace)


def _finish(code: int) -> int:
    """Do what python does at its end; return 120 instead of 0 if output was lost, as python does."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError:
            code = code or 120
    return code
