"""A phase-like module for the launcher's tests: ``launcher_jobs WHAT ARGUMENT...``."""

import atexit
import json
import os
import random
import resource
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path


def describe(*_: str) -> int:
    """Print what a job can see of itself."""
    print(
        json.dumps(
            {
                "argv": sys.argv,
                "path": sys.path,
                "cwd": str(Path.cwd()),
                "environment": dict(os.environ),
                "group": os.getpgid(0),
                "signals": [str(signal.getsignal(number)) for number in range(1, 32)],
                "umask": os.umask(0),
                "encodings": [(s.encoding, s.errors) for s in (sys.stdin, sys.stdout, sys.stderr)],
                "descriptors": sorted(path.name for path in Path("/proc/self/fd").iterdir()),
                "main": Path(sys.modules["__main__"].__file__ or "").name,
                "n_threads": len(list(Path("/proc/self/task").iterdir())),
                "zone": time.tzname,
                "file_limits": resource.getrlimit(resource.RLIMIT_NOFILE),
            }
        )
    )
    return 0


def parent(*_: str) -> int:
    print(os.getppid())
    return 0


def loaded(name: str) -> int:
    print(name in sys.modules)
    return 0


def echo(*arguments: str) -> int:
    print("arguments", [os.fsencode(argument) for argument in arguments])
    print("stdin", sys.stdin.read().strip())
    print("err \N{SNOWMAN}", file=sys.stderr)
    os.write(1, b"raw\n")
    return 0


def sleep(started: str, seconds: str) -> int:
    """Add a line to `started`, sleep, then write ``.done`` beside it."""
    with Path(started).open("a") as handle:
        handle.write(f"{os.getpid()}\n")
    time.sleep(float(seconds))
    Path(f"{started}.done").touch()
    return 0


def stubborn(started: str, seconds: str) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return sleep(started, seconds)


def interrupted(started: str, note: str) -> int:
    try:
        return sleep(started, "60")
    finally:
        Path(note).write_text("cleaned up")


def code(value: str) -> int:
    return int(value)


def leave(text: str) -> int:
    raise SystemExit(None if text == "None" else text)


def fail(text: str) -> int:
    raise ValueError(text)


def die(number: str) -> int:
    os.kill(os.getpid(), int(number))
    return 0


def leak(*_: str) -> int:
    """Print what an earlier job left behind, then leave much behind."""
    print(os.environ.get("LEAK"), Path.cwd().name, getattr(sys, "leak", None), "leaked" in sys.modules)
    sys.path.insert(0, str(Path.cwd()))
    import leaked

    os.environ["LEAK"] = leaked.WORD
    os.chdir("/")
    sys.leak = leaked.WORD  # type: ignore[attr-defined]
    sys.argv.append(leaked.WORD)
    return 0


def draw(*_: str) -> int:
    import numpy as np

    print(random.random(), np.random.random())
    return 0


def late(*_: str) -> int:
    """Say something from a thread and from an exit handler after main has returned."""
    atexit.register(print, "exit handler")
    threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
    return 0


def user_module(*_: str) -> int:
    import mine

    print(mine.WORD)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the function that the first argument names."""
    what, *arguments = sys.argv[1:] if argv is None else argv
    return globals()[what](*arguments)


if __name__ == "__main__":
    sys.exit(main())
