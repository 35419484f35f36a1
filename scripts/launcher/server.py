"""
The warm server: has the heavy modules imported and forks a child for every job.

One thread, one loop. It ends when its standard input does: the other end of that pipe is held by
Snakemake's main process alone, so even a ``kill -9`` of that process ends the server, and the end
of the server ends its children.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import resource
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from scripts.launcher.client import NOT_RUN, STARTED
from scripts.launcher.job import OWN_HANDLERS, Request, reason_to_refuse, run_and_exit

WARM_MODULES = (
    "json",
    "yaml",
    "pyarrow",
    "pyarrow.parquet",
    "pyarrow.compute",
    "pyarrow.acero",
    "pyarrow.dataset",
    "scripts.experiment.trials",
    "scripts.prepare",
    "scripts.mark",
    "jinja2",
    "jinja2.sandbox",
    "scripts.providers",
    "scripts.providers.replay",
    "scripts.providers.simulated",
    "scripts.build",
    "scripts.submit",
    "scripts.poll",
    "encodings.ascii",
    "encodings.unicode_escape",
    "numpy",
    "numpy.random",
    "pandas",
    "pyarrow.pandas_compat",
    "scripts.parse",
    "scripts.scorers",
    "scripts.score",
    "scipy.stats",
    "statsmodels.stats.proportion",
    "statsmodels.stats.multitest",
    "statsmodels.stats.contingency_tables",
    "scripts.stats",
    "scripts.costs",
    "scripts.report",
)
"""What phases import, in the order in which the first jobs need it: a phase behind what it needs."""

MODULE_PREFIX = "scripts."
"""Only modules of this package are run warm."""
KILL_AFTER_S = 5.0
"""How long a child may take to end after SIGTERM."""
MAX_REQUEST_BYTES = 64 * 1024 * 1024
FOLDER_PREFIX = "trialmake-"
"""The server removes the folder of its socket only if it has this name."""


class Job:
    """A client's connection and, once started, the child that does its work."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = bytearray()
        self.streams: list[int] = []
        self.pid = 0
        self.pidfd = -1
        self.kill_at: float | None = None

    def close(self) -> None:
        """Close every descriptor of the job; the child, if any, is left alone."""
        self.connection.close()
        self.close_streams()
        if self.pidfd >= 0:
            os.close(self.pidfd)

    def close_streams(self) -> None:
        """Close the server's copies of the client's standard streams."""
        while self.streams:
            os.close(self.streams.pop())

    def request(self) -> bytes | None:
        """Return the request without its length once it is there as a whole."""
        if len(self.received) < 8:
            return None
        length = int.from_bytes(self.received[:8], "big")
        if length > MAX_REQUEST_BYTES:
            raise ValueError(f"a request of {length} bytes")
        return bytes(self.received[8:]) if len(self.received) >= 8 + length else None


class Server:
    """
    The loop that takes jobs from clients and sends exit codes back.

    Parameters
    ----------
    listener : socket.socket
        Bound and listening.
    lifeline : int
        A descriptor at whose end of file the server ends.
    prefix : str
        How the names of modules that may be run begin.
    """

    def __init__(self, listener: socket.socket, *, lifeline: int, prefix: str = MODULE_PREFIX) -> None:
        self.listener = listener
        self.lifeline = lifeline
        self.prefix = prefix
        self.jobs: set[Job] = set()
        self.cold: set[str] = set()
        self.held: list[tuple[Job, Request]] = []
        self.stopping = False
        self.listening = False
        # A job holds at most five descriptors; whoever finds no room waits in the socket's queue.
        self.max_jobs = max(1, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 64) // 5)
        self.selector = selectors.DefaultSelector()
        self.selector.register(lifeline, selectors.EVENT_READ, self.check_lifeline)
        listener.setblocking(False)

    def warm_up(self, modules: Iterable[str]) -> None:
        """
        Import modules one by one; serve waiting clients in between.

        A job of a module that is still to come waits for it: a child that imports the clients of providers by
        itself takes a second and 60 MB, and hundreds of them would keep this process from getting there.
        """
        names = list(modules)
        self.cold = set(names)
        for name in names:
            self.serve_waiting()
            if self.stopping:
                return
            try:
                module = importlib.import_module(name)
                if hasattr(
                    module, "warm_up"
                ):  # what its first call would pay for, such as templates to compile
                    module.warm_up()
            except ModuleNotFoundError as error:
                if error.name != name:
                    traceback.print_exc()
            except Exception:
                # Not hidden: the job that needs the module imports it again and shows the error.
                traceback.print_exc()
            self.cold.discard(name)
            self.start_held()
        gc.collect()
        gc.freeze()  # or a child's first collection would copy every page that it shares

    def serve(self) -> None:
        """Serve until the lifeline ends and all children have ended."""
        while self.jobs or not self.stopping:
            self.step(None)

    def serve_waiting(self) -> None:
        """Serve until nobody is waiting."""
        while self.step(0.0):
            pass

    def step(self, timeout_s: float | None) -> bool:
        """Wait for something to happen and deal with it; return whether anything did."""
        self.update_listening()
        deadlines = [job.kill_at for job in self.jobs if job.kill_at is not None]
        if deadlines and timeout_s is None:
            timeout_s = max(0.0, min(deadlines) - time.monotonic())
        events = self.selector.select(timeout_s)
        for key, _ in events:
            callback: Callable[[], None] = key.data
            callback()
        for job in self.jobs:
            if job.kill_at is not None and job.kill_at <= time.monotonic():
                job.kill_at = None
                os.kill(job.pid, signal.SIGKILL)
        return bool(events)

    def update_listening(self) -> None:
        """Listen while there is room for another job."""
        wanted = not self.stopping and len(self.jobs) < self.max_jobs
        if wanted and not self.listening:
            self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        elif self.listening and not wanted:
            self.selector.unregister(self.listener)
        self.listening = wanted

    def check_lifeline(self) -> None:
        """Begin to stop when the main process is gone."""
        if os.read(self.lifeline, 1024):
            return
        self.stopping = True
        self.selector.unregister(self.lifeline)
        self.update_listening()
        self.listener.close()
        for job in list(self.jobs):
            self.abandon(job)

    def accept(self) -> None:
        """Take a client in."""
        try:
            connection, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        connection.setblocking(False)
        job = Job(connection)
        self.jobs.add(job)
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.read(job))

    def read(self, job: Job) -> None:
        """Take more of a client's request; a client that has gone away takes its child with it."""
        if job not in self.jobs or job.kill_at is not None:
            return
        try:
            data, streams, _, _ = socket.recv_fds(job.connection, 1 << 18, 3, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, streams = b"", []
        job.streams += streams
        if not data:
            self.abandon(job)
        elif not job.pid:
            job.received += data
            self.consider(job)

    def consider(self, job: Job) -> None:
        """Start the job if its request is complete; refuse it by closing the connection."""
        try:
            body = job.request()
            if body is None:
                return
            request = Request.decode(body)
        except ValueError:
            traceback.print_exc()
            self.drop(job)
            return
        job.received.clear()
        reason = reason_to_refuse(request, self.prefix)
        if len(job.streams) != 3:
            reason = "its standard streams did not arrive"
        if reason is None and request.module in self.cold:
            self.held.append((job, request))
        elif reason is None:
            self.start(job, request)
        else:
            print(f"{request.module} is run as plain python: {reason}", flush=True)
            self.drop(job)

    def start_held(self) -> None:
        """Start the jobs that waited for their module, but not those whose client has gone away."""
        held, self.held = self.held, []
        for job, request in held:
            if request.module in self.cold:
                self.held.append((job, request))
            elif job in self.jobs:
                self.start(job, request)

    def start(self, job: Job, request: Request) -> None:
        """Acknowledge the job, then fork: should this process die in between, it is not run twice."""
        try:
            job.connection.send(STARTED)
        except OSError:
            self.drop(job)
            return
        sys.stdout.flush()
        server = os.getpid()
        try:
            job.pid = os.fork()
        except OSError:
            self.answer(job, NOT_RUN)
            return
        if job.pid == 0:
            streams = [job.streams.pop(0) for _ in range(3)]
            run_and_exit(request, streams, server=server, close=self.close)
        job.close_streams()
        job.pidfd = os.pidfd_open(job.pid)
        self.selector.register(job.pidfd, selectors.EVENT_READ, lambda: self.reap(job))

    def reap(self, job: Job) -> None:
        """Send a child's exit code to its client, 128 + N if signal N ended it."""
        _, status = os.waitpid(job.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self.selector.unregister(job.pidfd)
        self.answer(job, code if code >= 0 else 128 - code)

    def answer(self, job: Job, code: int) -> None:
        """Send the result to a client, if it is still there."""
        with contextlib.suppress(OSError):
            job.connection.send(code.to_bytes(4, "big", signed=True))
        self.drop(job)

    def abandon(self, job: Job) -> None:
        """End the child of a job whose client no longer waits; the client is told how it ended."""
        if not job.pid:
            self.drop(job)
        elif job.kill_at is None:
            self.ignore(job.connection)
            os.kill(job.pid, signal.SIGTERM)
            job.kill_at = time.monotonic() + KILL_AFTER_S

    def drop(self, job: Job) -> None:
        """Forget a job that has no child."""
        self.jobs.remove(job)
        self.ignore(job.connection)
        job.close()

    def ignore(self, connection: socket.socket) -> None:
        """Stop watching a connection, if it is still watched."""
        with contextlib.suppress(KeyError):
            self.selector.unregister(connection)

    def close(self) -> None:
        """Close every descriptor (also called in a child, which must not hold other clients')."""
        self.selector.close()
        self.listener.close()
        for job in self.jobs:
            job.close()


def listen(path: Path) -> socket.socket:
    """Bind a socket that only this user can connect to, in a folder that is this user's alone."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(socket.SOMAXCONN)
    except OSError:
        listener.close()
        raise
    return listener


def redirect_output(log: Path) -> None:
    """Send what this process prints, also from C, to a file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def allow_many_files() -> None:
    """Open as many files as this process may: each job that waits keeps some, and the usual limit is low."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def forbid_threads() -> None:
    """Keep libraries from starting threads at import: a forked child has none of them."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # of the allocator in pyarrow


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="scripts.launcher.server", description=__doc__)
    parser.add_argument("socket", type=Path)
    parser.add_argument("--fd", type=int, help="the socket, already listening (otherwise it is made)")
    parser.add_argument("--log", type=Path, default=Path(os.devnull))
    parser.add_argument("--prefix", default=MODULE_PREFIX, help="run only modules that begin so")
    parser.add_argument("--modules", nargs="*", default=WARM_MODULES, help="what to import beforehand")
    options = parser.parse_args(argv)
    for number in OWN_HANDLERS:  # sent to all processes of a run; the end of the main process ends this one
        signal.signal(number, signal.SIG_IGN)
    redirect_output(options.log)
    forbid_threads()
    allow_many_files()
    listener = listen(options.socket) if options.fd is None else socket.socket(fileno=options.fd)
    server = Server(listener, lifeline=0, prefix=options.prefix)
    began = time.monotonic()
    server.warm_up(options.modules)
    print(f"warm after {time.monotonic() - began:.1f} s", flush=True)
    server.serve()
    options.socket.unlink(missing_ok=True)
    if options.socket.parent.name.startswith(FOLDER_PREFIX):
        with contextlib.suppress(OSError):
            options.socket.parent.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
