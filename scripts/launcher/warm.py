"""Start the warm server from Snakemake's main process, and stop it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher.client import python_path
from scripts.launcher.server import FOLDER_PREFIX, MODULE_PREFIX, WARM_MODULES, listen

VARIABLE = "TRIALMAKE_WARM"
"""Names the server's socket for clients; ``off`` (set by the user) means plain python."""
STOP_WAIT_S = 0.5
"""A server that is importing notices the end late; it has no jobs then and can be killed."""
ROOT = Path(__file__).resolve().parents[2]


def launch_command() -> str:
    """Return what a rule writes before ``scripts.<phase> ARGUMENTS``, quoted for the shell."""
    return shlex.join([sys.executable, "-I", "-S", str(ROOT / "scripts" / "launcher" / "client.py")])


def shell_prefix() -> str:
    """
    Define the shell function ``launch`` for all rules, with braces escaped for Snakemake's formatting.

    Jobs ignore what asks a run to end (Ctrl-C, a closed terminal, a signal to the whole group): it reaches
    the main process too, which drains the run.
    """
    function = f"trap '' INT TERM HUP; launch() {{ {launch_command()} \"$@\"; }}; "
    return function.replace("{", "{{").replace("}", "}}")


@dataclass
class WarmServer:
    """A running server; it also ends by itself when this process does."""

    process: subprocess.Popen[bytes]
    folder: Path

    def stop(self) -> None:
        """End the server and all that it runs; later clients are plain python."""
        os.environ.pop(VARIABLE, None)
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def start(
    log: Path, *, prefix: str = MODULE_PREFIX, modules: Sequence[str] = WARM_MODULES
) -> WarmServer | None:
    """
    Start the server and tell clients about it; does not wait until it is warm.

    Clients may connect at once: the socket is listening when this returns, and they wait in its
    queue.

    Parameters
    ----------
    log : Path
        Where the server writes what goes wrong while it warms up.
    prefix : str
        How the names of modules that may be run begin.
    modules : sequence of str
        What to import beforehand.

    Returns
    -------
    WarmServer or None
        None if there is none: turned off by ``TRIALMAKE_WARM=off``, or not possible here.
    """
    if os.environ.get(VARIABLE) == "off" or sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return None
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    try:
        process = _spawn(folder / "socket", log, ["--prefix", prefix, "--modules", *modules])
    except OSError:  # such as a TMPDIR too long for a socket's name: slower, but no reason to fail
        shutil.rmtree(folder, ignore_errors=True)
        return None
    os.environ[VARIABLE] = str(folder / "socket")
    return WarmServer(process, folder)


def _spawn(path: Path, log: Path, options: Sequence[str]) -> subprocess.Popen[bytes]:
    environment = dict(os.environb)
    environment[b"PYTHONPATH"] = python_path(os.fsencode(ROOT), environment.get(b"PYTHONPATH", b""))
    log.parent.mkdir(parents=True, exist_ok=True)
    # This process's copy of the listener is closed: were the server to die, nobody would be listening.
    with contextlib.closing(listen(path)) as listener:
        number = str(listener.fileno())
        command = [sys.executable, "-m", "scripts.launcher.server", str(path), "--fd", number]
        return subprocess.Popen(
            [*command, "--log", str(log.absolute()), *options],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            process_group=0,
        )
