"""What a Message Batch has answered comes in whole, or somebody is asked; nothing is paid again for it."""

from __future__ import annotations

from collections import Counter

import pytest

from scripts.errors import ProviderError
from tests.providers.anthropic_experiments import (  # noqa: F401 - fixtures
    Bench,
    N,
    bench_fixture,
    fail_once,
    service_fixture,
    sizes,
)


def test_rows_that_are_missing_by_the_providers_own_count_are_sent_again(bench, service):
    """So are they where another row comes twice in their place."""
    service.mangle = lambda rows: [*rows[:0:-1], rows[-1]] if len(rows) > 1 else rows
    service.n_counted = N - 1
    bench.submit()
    service.n_counted = N - 1
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N, 1]


def test_rows_that_are_missing_against_the_providers_count_are_asked_about(bench, service):
    service.mangle = lambda rows: [*rows[:0:-1], rows[-1]] if len(rows) > 1 else rows
    bench.submit()
    with pytest.raises(ProviderError, match=f"{N - 1} of the {N} requests that it says are done") as told:
        bench.poll()
    assert f"resubmit: [{bench.trial.name}/s0001]" in told.value.fix
    service.mangle = lambda rows: rows
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N]


def test_a_canceled_batch_is_not_sent_again_unless_the_configuration_says_so(bench, service, capsys):
    fail_once(service, {"type": "canceled"}, n=2)
    bench.submit()
    assert Counter(bench.poll()) == {"errored": 2, "answered": N - 2}
    assert sizes(service) == [N]
    assert "providers.anthropic.resend_cancelled: true sends them" in capsys.readouterr().err
    bench.settings.config["providers"]["anthropic"]["resend_cancelled"] = True
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N, 2]


def test_broken_downloads_are_not_taken_for_missing_rows(bench, service):
    bench.submit()
    service.faults = [("results", fault) for fault in ("short", "cut", "short", "short")]
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N]


def test_results_that_are_nowhere_end_in_a_question_and_are_collected_another_time(bench, service):
    service.looks_until_named = 99
    bench.submit()
    with pytest.raises(ProviderError, match="cannot be collected"):
        bench.poll()
    service.looks_until_named = 0
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N]


@pytest.mark.parametrize("fault", ["null", "no counts"])
def test_an_answer_that_describes_no_batch_is_looked_at_again_but_not_for_ever(bench, service, fault):
    service.faults = [("look", fault)] * 3
    bench.submit()
    assert bench.poll() == ["answered"] * N


def test_an_answer_that_never_describes_a_batch_is_an_error(bench, service):
    service.faults = [("look", "null")] * 99
    bench.submit()
    with pytest.raises(ProviderError, match="the answer describes no batch"):
        bench.poll()


def test_a_key_that_is_refused_while_a_batch_goes_on_is_told_with_how_to_collect_it(bench, service):
    bench.submit()
    service.faults = [("look", "401 invalid x-api-key")]
    with pytest.raises(ProviderError, match="it is paid and goes on at the provider") as told:
        bench.poll()
    assert "ANTHROPIC_API_KEY" in told.value.fix
    assert "run the same command again" in told.value.fix
    assert "nothing was started" not in str(told.value)
    assert bench.poll() == ["answered"] * N


def test_what_another_run_has_in_flight_is_waited_for_and_paid_once(bench, service, tmp_path):
    service.delay_s = 0.5
    bench.submit()
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other", service)
    other.settings.config["run_id"], other.settings.config["reuse"] = "other", "store"
    other.settings.config["experiments_dir"] = bench.settings.config["experiments_dir"]
    assert other.submit() == [None]
    assert other.poll() == bench.poll() == ["answered"] * N
    assert sizes(service) == [N]
