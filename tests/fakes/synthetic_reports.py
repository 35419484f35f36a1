"""Trials that never ran: stats, costs and pages of every shape, for the tests of the reports."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scripts.reporting.page_content import (
    Answer,
    Example,
    Excerpt,
    Methods,
    PromptText,
    Questions,
    RunPage,
    TrialPage,
)
from scripts.reporting.summary import Together, TrialResult, build_summary
from scripts.reporting.tables import excerpt

OUTCOMES = ("answered", "truncated", "refused", "errored", "expired", "missing")
DATASETS = {"arithmetic": 1319, "trivia": 600}
VERSIONS = {"trialmake": "0.1.0", "python": "3.11.7", "scipy": "1.17.1", "statsmodels": "0.15.0"}

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<a href=\"javascript:document.title='owned'\" onclick='alert(1)'>go</a></div></main><!-- <table><tr"
    " {{ 7*7 }} {% raw %} \x00\x07\x1b[31m \u202egnp.exe \u2067 <svg/onload=alert(1)> ]]> &lt;b&gt; \ud800"
)


def metric(mean: float | None, *, n: int = 100, method: str = "wilson") -> dict[str, Any]:
    if mean is None:
        return {"mean": None, "low": None, "high": None, "method": "none: no values", "n": 0, "n_clusters": 0}
    half = 1.96 * math.sqrt(max(mean * (1 - mean), 1e-4) / n)
    low, high = max(0.0, mean - half), min(1.0, mean + half)
    return {"mean": mean, "low": low, "high": high, "method": method, "n": n, "n_clusters": n}


def effect(
    p_value: float | None,
    *,
    metric: str = "correct",
    dataset: str = "all",
    difference: float | None = 0.05,
    p_equivalence: float | None = None,
) -> dict[str, Any]:
    is_there = difference is not None
    size = difference or 0.0
    return {
        "dataset": dataset,
        "metric": metric,
        "requests": requests(0) if is_there else requests(100, 100),
        "n_pairs": 100 if is_there else 0,
        "n_unpaired": 0 if is_there else 100,
        "n_clusters": 100 if is_there else 0,
        "n_gained": 12 if is_there else 0,
        "n_lost": 7 if is_there else 0,
        "difference": difference,
        "low": size - 0.04 if is_there else None,
        "high": size + 0.04 if is_there else None,
        "interval_method": "tango score" if is_there else "none: no pairs",
        "test": "exact McNemar" if is_there else "none: no pairs",
        "p_value": p_value,
        "odds_ratio": None,
        "equivalence_low": size - 0.033 if is_there else None,
        "equivalence_high": size + 0.033 if is_there else None,
        **({"sensitivity": {"non_inferiority": {"p_equivalence": p_equivalence}}} if p_equivalence else {}),
    }


def requests(trial: int, baseline: int = 0, *, n: int = 100) -> dict[str, dict[str, int]]:
    """So many requests of each arm have no score."""
    arms = {"trial": trial, "baseline": baseline}
    return {name: {"n_requests": n, "n_without_score": missing} for name, missing in arms.items()}


def stats(
    trial: str, *, baseline: str | None = None, effects: list[dict[str, Any]] | None = None, **changes: Any
) -> dict[str, Any]:
    metrics = {
        "correct": metric(0.5),
        "f1": metric(0.6),
        "abstained": metric(0.1),
        "false_answer": metric(None),
    }
    value = {
        "schema_version": 1,
        "trial": trial,
        "baseline": baseline,
        "confidence_level": 0.95,
        "n_items": 100,
        "n_requests": 100,
        "outcomes": {name: 100 if name == "answered" else 0 for name in OUTCOMES},
        "metrics": metrics,
        "by_dataset": {"trivia": {"n_items": 100, "metrics": metrics}},
        "effects": effects or [],
    }
    return {**value, **changes}


def costs(trial: str, cost_usd: float | None = 0.42, *, reason: str | None = None) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "trial": trial,
        "model": "small",
        "provider_model": "small-2025",
        "cost_usd": cost_usd,
        "reason": reason,
        "n_requests": 100,
        "n_with_usage": 100,
        "input_tokens": 41_230,
        "output_tokens": 9_812,
        "cached_tokens": None,
        "price": {
            "input": 0.4,
            "output": 1.6,
            "cached_input": None,
            "batch_multiplier": 0.5,
            "source": "packaged price table",
            "as_of": "2025-01-01",
        },
    }


def factors(model: str = "small", prompt: str = "control", **others: Any) -> dict[str, Any]:
    return {"model": model, "prompt": prompt, "temperature": 0.0, "top_p": None, "replicates": 1, **others}


def methods(**changes: Any) -> Methods:
    settings: dict[str, Any] = {
        "scorers": {"arithmetic": "numeric", "trivia": "short_answer"},
        "resamples": 10_000,
        "seed": 20250101,
        "adjustment": "holm",
        "family": ("correct",),
        "equivalence_margin": 0.02,
        "versions": VERSIONS,
    }
    return Methods(**{**settings, **changes})


def result(trial: str, **changes: Any) -> TrialResult:
    prompt = changes.pop("prompt", trial)
    return TrialResult(factors(prompt=prompt), stats(trial, **changes), costs(trial))


# --- a run that looks like a real one ---------------------------------------------------------------

_MODELS = {
    "gpt-4.1-mini": ("gpt-4.1-mini-2025-04-14", 1.0, 0.0),
    "llama-3.3-70b": ("llama-v3p3-70b", 3.4, 0.09),
}
_PROMPTS = {"control": (0.0, 0.10), "stepwise": (0.062, 0.09), "terse": (-0.035, 0.02)}


def _scores(rng: np.random.Generator, rate: float, n: int) -> np.ndarray[Any, Any]:
    return (rng.random(n) < rate).astype(float)


def _paired(
    trial: np.ndarray[Any, Any], baseline: np.ndarray[Any, Any], *, dataset: str, name: str
) -> dict[str, Any]:
    change = trial - baseline
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    mean, error = float(change.mean()), float(change.std(ddof=1) / math.sqrt(change.size))
    estimate = (gained + 0.5) / (lost + 0.5)
    spread = math.exp(1.96 * math.sqrt(1 / (gained + 0.5) + 1 / (lost + 0.5)))
    return {
        **effect(math.erfc(abs(mean) / error / math.sqrt(2)), metric=name, dataset=dataset, difference=mean),
        "n_pairs": int(change.size),
        "n_clusters": int(change.size),
        "n_gained": gained,
        "n_lost": lost,
        "low": mean - 1.96 * error,
        "high": mean + 1.96 * error,
        "odds_ratio": {
            "estimate": estimate,
            "low": estimate / spread,
            "high": estimate * spread,
            "method": "conditional Clopper-Pearson",
        },
        "equivalence_low": mean - 1.645 * error,
        "equivalence_high": mean + 1.645 * error,
    }


def _trial_scores(model_shift: float, prompt_shift: float, abstain: float, seed: int) -> dict[str, Any]:
    common = np.random.default_rng(7)
    own = np.random.default_rng(seed)
    scores = {}
    for dataset, n in DATASETS.items():
        level = common.random(n) * 0.5 + (0.3 if dataset == "arithmetic" else 0.42)
        draws = 0.6 * common.random(n) + 0.4 * own.random(n)
        scores[dataset] = {
            "correct": (draws < level + model_shift + prompt_shift).astype(float),
            "abstained": _scores(own, abstain, n),
        }
    return scores


def realistic_results() -> list[TrialResult]:
    """Two models times three prompts, each compared with the control of its model."""
    results, scores = [], {}
    for place, (model, (_, _, model_shift)) in enumerate(_MODELS.items()):
        for step, (prompt, (shift, abstain)) in enumerate(_PROMPTS.items()):
            shift = shift if place == 0 else shift * 0.18
            scores[model, prompt] = _trial_scores(model_shift, shift, abstain, 10 * place + step)
    for (model, prompt), own in scores.items():
        results.append(_realistic(model, prompt, own, scores[model, "control"]))
    return results


def _realistic(model: str, prompt: str, own: Any, control: Any) -> TrialResult:
    name, is_control = f"{model}-{prompt}", prompt == "control"
    names = ("correct", "abstained")
    whole = {key: np.concatenate([part[key] for part in own.values()]) for key in names}
    against = {key: np.concatenate([part[key] for part in control.values()]) for key in names}
    arms = {"all": (whole, against), **{key: (own[key], control[key]) for key in own}}
    effects = [
        _paired(mine[key], theirs[key], dataset=dataset, name=key)
        for dataset, (mine, theirs) in arms.items()
        for key in names
        if not is_control
    ]
    n = whole["correct"].size
    bad = 4 if prompt == "stepwise" else 0
    provider_model, price, _ = _MODELS[model]
    cost = price * (0.62 + (0.9 if prompt == "stepwise" else 0.0))
    value = stats(
        name,
        baseline=None if is_control else f"{model}-control",
        effects=effects,
        n_items=n,
        n_requests=n,
        outcomes={
            **dict.fromkeys(OUTCOMES, 0),
            "answered": n - 9 * bad,
            "truncated": 6 * bad,
            "errored": 3 * bad,
        },
        metrics=_metrics(whole, missing=3 * bad),
        bounds={"correct": _bounds(float(whole["correct"].mean()), n, missing=3 * bad)},
        by_dataset={key: {"n_items": DATASETS[key], "metrics": _metrics(part)} for key, part in own.items()},
    )
    spent = {**costs(name, cost), "model": model, "provider_model": provider_model, "n_requests": n}
    spent |= {"n_with_usage": n - 3 * bad, "input_tokens": 141 * n, "output_tokens": (60 + 40 * bad) * n}
    return TrialResult(factors(model, prompt, max_tokens=512), value, spent)


def _bounds(mean: float, n: int, missing: int) -> dict[str, Any]:
    right = mean * (n - missing)
    ends = {"lowest": right / n, "highest": (right + missing) / n, "low": None, "high": None}
    return {"n_items": n, "n_incomplete": missing, **ends, "method": "wilson"}


def _metrics(scores: Any, missing: int = 0) -> dict[str, Any]:
    n = scores["correct"].size
    return {
        "correct": metric(float(scores["correct"].mean()), n=n - missing),
        "f1": metric(float(scores["correct"].mean()) + 0.03, n=n - missing, method="t"),
        "abstained": metric(float(scores["abstained"].mean()), n=n - missing),
        "false_answer": metric(None),
    }


def run_page(
    results: list[TrialResult],
    *,
    run_id: str = "prompt-study",
    together: Together = Together(),  # noqa: B008 - it is frozen
    **changes: Any,
) -> RunPage:
    settings = methods(**changes)
    summary = build_summary(
        results,
        run_id=run_id,
        confidence_level=0.95,
        adjustment=settings.adjustment,
        family=settings.family,
        margin=settings.equivalence_margin,
        together=together,
    )
    spent = {item.stats["trial"]: item.costs for item in results if item.costs is not None}
    return RunPage(summary, spent, settings, generated_at="2025-01-01 12:00 UTC")


def trial_page(
    item: TrialResult, *, questions: Questions | None = None, text: str = "Be brief."
) -> TrialPage:
    return TrialPage(
        run_id="prompt-study",
        factors=item.factors,
        stats=item.stats,
        costs=item.costs,
        prompts=(PromptText("system", text), PromptText("user", "{{ question }}")),
        questions=questions or Questions(),
        equivalence_margin=0.02,
    )


def hostile_questions(text: str = HOSTILE) -> Questions:
    """Every field of a question holds `text`."""
    long = excerpt(text * (1 + 1_000_000 // len(text)))
    right = Answer("answered", excerpt(text), 1.0, finish_reason=text, error=None, read=excerpt(text))
    wrong = Answer("truncated", long, 0.0, finish_reason=text, error=excerpt(text), is_unread=True)
    nothing = Answer("missing", None, None)
    base: dict[str, Any] = {
        "dataset": text,
        "item_id": text,
        "replicate": 0,
        "question": excerpt(text),
        "accepted": (excerpt(text), Excerpt("", 0)),
        "n_accepted": 5,
        "is_unanswerable": False,
        "choices": (excerpt(text), excerpt("b")),
        "context": long,
    }
    pair = Example(**base, trial=right, baseline=wrong, kinds=("gained", "failed"))
    lost = {**base, "question": None, "accepted": ()}
    pairs = (pair, Example(**lost, trial=nothing, baseline=right, kinds=("lost", "failed")))
    totals = {"gained": 293, "lost": 1, "both_right": 0, "both_wrong": 0, "unscored": 0, "failed": 2}
    return Questions(pairs, {**totals, "abstained": 0}, n_items=600, is_paired=True)


def many_questions(n: int, *, text: str = "") -> Questions:
    """Questions of every kind, named after it."""
    kinds = ("gained", "lost", "both_right", "both_wrong", "unscored")
    scores = {"gained": (1.0, 0.0), "lost": (0.0, 1.0), "both_right": (1.0, 1.0), "both_wrong": (0.0, 0.0)}
    examples = []
    for number in range(n):
        kind = kinds[number % len(kinds)]
        own, other = scores.get(kind, (None, 1.0))
        outcome = "answered" if own is not None else "errored"
        examples.append(
            Example(
                dataset=("trivia", "sums")[number % 2],
                item_id=f"q{number}",
                replicate=0,
                question=excerpt(f"Question {number}? {text}"),
                accepted=(excerpt(f"accepted {number}"),),
                n_accepted=1,
                is_unanswerable=False,
                choices=(),
                context=excerpt(f"passage {number % 3}"),
                trial=Answer(outcome, None if own is None else excerpt(f"mine {number} {text}"), own),
                baseline=Answer("answered", excerpt(f"theirs {number}"), other),
                kinds=(kind,) if own is not None else (kind, "failed"),
            )
        )
    totals = {kind: sum(kind in example.kinds for example in examples) for kind in (*kinds, "failed")}
    return Questions(tuple(examples), {**totals, "abstained": 0}, n_items=n + 7, is_paired=True)
