"""A job cannot tell whether it runs warm or as plain python."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.launcher import client


def describe(launcher: Any, **options: Any) -> dict[str, Any]:
    return json.loads(launcher.run("describe", "--x", **options).stdout)


@pytest.mark.parametrize(
    ("what", "argument", "code", "err"),
    [
        ("code", "0", 0, ""),
        ("code", "3", 3, ""),
        ("code", "-1", 255, ""),
        ("leave", "None", 0, ""),
        ("leave", "a reason", 1, "a reason\n"),
    ],
)
def test_exit_codes_are_those_of_python(either: Any, what: str, argument: str, code: int, err: str) -> None:
    done = either.run(what, argument)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (code, b"", err)


def test_an_exception_is_exit_code_1_with_a_traceback_of_the_module_alone(either: Any) -> None:
    done = either.run("fail", "what went wrong")
    assert done.returncode == 1
    assert done.stderr.decode().startswith("Traceback (most recent call last):\n")
    assert done.stderr.decode().endswith("ValueError: what went wrong\n")
    assert b"scripts/launcher" not in done.stderr


def test_a_job_killed_by_a_signal_is_128_plus_the_signal_for_the_shell(either: Any) -> None:
    done = either.run("die", "9")
    assert done.returncode in (137, -9)  # plain python is the client itself


def test_arguments_and_streams_pass_through_byte_by_byte(either: Any) -> None:
    arguments = ["", "two words", "ünï\N{SNOWMAN}", b"\xff\xfe", "*", "line\nfeed"]
    done = either.run("echo", *arguments, input=b"from outside\n")
    expected = [os.fsencode(argument) for argument in arguments]
    assert done.stdout.decode() == f"raw\narguments {expected}\nstdin from outside\n"
    assert done.stderr.decode() == "err \N{SNOWMAN}\n"


def test_the_environment_passes_through_byte_by_byte_also_200_kilobytes(either: Any) -> None:
    large = {f"LARGE_{number}": "x" * 20_000 for number in range(10)}
    environment = {**os.environ, **large, "EMPTY": "", "EQUALS": "a=b", "BYTES": "\udcff", "LINES": "a\nb"}
    seen = describe(either, env=environment)["environment"]
    for name in [*large, "EMPTY", "EQUALS", "BYTES", "LINES"]:
        assert seen[name] == environment[name]


def test_what_a_job_sees_is_the_same_in_both_modes(
    warm_launcher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_HERE", "1")
    options = {"cwd": tmp_path, "env": {**os.environ, "TZ": "Asia/Tokyo"}, "umask": 0o027}
    warm = describe(warm_launcher, **options)
    options["env"] = {**os.environ, "TZ": "Asia/Tokyo", "TRIALMAKE_WARM": "off"}
    plain = describe(warm_launcher, **options)
    assert plain["path"][0] == str(tmp_path)
    assert warm["environment"].pop("TRIALMAKE_WARM") != plain["environment"].pop("TRIALMAKE_WARM")
    assert warm == plain


def test_a_module_in_the_working_directory_can_be_imported(either: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("WORD = 'found'\n")
    assert either.run("user_module", cwd=tmp_path).stdout == b"found\n"


def test_threads_and_exit_handlers_end_before_the_job_does(either: Any) -> None:
    assert either.run("late").stdout == b"thread\nexit handler\n"


def test_lost_output_is_not_success(either: Any) -> None:
    with Path("/dev/full").open("wb") as full:
        done = either.run("code", "0", stdout=full, capture_output=False)
        assert done.returncode == 0
        done = either.run("parent", stdout=full, capture_output=False)
        assert done.returncode == 120


Wait = Callable[..., None]


def started_pid(counter: Path, wait_until: Wait) -> int:
    wait_until(lambda: counter.exists() and counter.read_text().endswith("\n"))
    return int(counter.read_text())


def test_without_a_server_a_job_is_plain_python(launcher: Any) -> None:
    assert launcher.parent_of_job() == os.getpid()


def test_a_socket_that_is_not_there_means_plain_python(
    launcher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIALMAKE_WARM", str(tmp_path / "nothing"))
    done = launcher.run("code", "3")
    assert (done.returncode, done.stderr) == (3, b"")


def test_a_dead_server_means_plain_python(warm_launcher: Any) -> None:
    warm_launcher.server.process.kill()
    warm_launcher.server.process.wait()
    assert warm_launcher.parent_of_job() == os.getpid()


def test_a_server_that_dies_before_it_accepts_means_plain_python(launcher: Any, tmp_path: Path) -> None:
    server = launcher.serve("launcher_slow", "launcher_jobs")
    os.kill(server.process.pid, signal.SIGSTOP)
    counter = tmp_path / "counter"
    job = launcher.start("sleep", str(counter), "0")
    with pytest.raises(subprocess.TimeoutExpired):
        job.wait(0.3)
    server.process.kill()
    assert job.communicate(timeout=20) == (b"", b"")
    assert job.returncode == 0
    assert len(counter.read_text().splitlines()) == 1


def test_a_server_that_hangs_means_plain_python_and_the_job_is_not_run_later(
    warm_launcher: Any, tmp_path: Path, wait_until: Wait
) -> None:
    impatient = tmp_path / "checkout" / "scripts" / "launcher" / "client.py"
    impatient.parent.mkdir(parents=True)
    text = Path(client.__file__).read_text().replace("START_TIMEOUT_S = 30.0", "START_TIMEOUT_S = 0.2")
    impatient.write_text(text)
    counter = tmp_path / "counter"
    server = warm_launcher.server.process.pid
    os.kill(server, signal.SIGSTOP)
    command = [sys.executable, "-I", "-S", str(impatient), "launcher_jobs", "sleep", str(counter), "0"]
    assert subprocess.run(command, timeout=20, check=False).returncode == 0
    os.kill(server, signal.SIGCONT)
    assert warm_launcher.parent_of_job() == server
    assert len(counter.read_text().splitlines()) == 1


def test_ctrl_c_reaches_the_child_which_may_clean_up(
    warm_launcher: Any, tmp_path: Path, wait_until: Wait
) -> None:
    job = warm_launcher.start(
        "interrupted", str(tmp_path / "counter"), str(tmp_path / "note"), process_group=0
    )
    started_pid(tmp_path / "counter", wait_until)
    os.killpg(job.pid, signal.SIGINT)
    _, err = job.communicate(timeout=30)
    assert job.returncode == 130
    assert err.decode().endswith("KeyboardInterrupt\n")
    assert (tmp_path / "note").read_text() == "cleaned up"
