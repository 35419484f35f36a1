"""Factorial effects against statsmodels, and against published answers of models to the same questions."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.multivariate import test_mvmean as hotelling

from scripts.analysis.factorial import Contrast, FactorialAnalysis, factorial_effects
from scripts.analysis.resampling import child_rng
from scripts.files import PROJECT_ROOT

SHARED = PROJECT_ROOT.parent / "shared" / "data"


def analyse(scores: Any, cells: list[dict[str, Any]], clusters: Any = None) -> FactorialAnalysis:
    return factorial_effects(
        scores,
        cells,
        clusters,
        confidence_level=0.95,
        resamples=999,
        rng=child_rng(1, "reference"),
        bounds=(0.0, 1.0),
    )


# A small design, made here ------------------------------------------------------------------------------

MODELS, PROMPTS, TEMPERATURES = ("a", "b", "c"), ("plain", "steps"), (0.0, 0.5, 2.0)
CELLS = [
    {"model": model, "prompt": prompt, "temperature": temperature}
    for model, prompt, temperature in itertools.product(MODELS, PROMPTS, TEMPERATURES)
]
N_ITEMS = 240


def constructed() -> tuple[np.ndarray, np.ndarray]:
    """Shares of right answers with effects of all kinds, in 60 clusters of unlike size."""
    rng = np.random.default_rng(11)
    clusters = np.sort(rng.integers(0, 60, N_ITEMS))
    latent = rng.normal(0, 0.5, (60, 1))[clusters] + rng.normal(0, 0.7, (N_ITEMS, 1))
    shift = np.array(
        [
            0.3 * MODELS.index(cell["model"]) * (cell["prompt"] == "steps") - 0.1 * cell["temperature"]
            for cell in CELLS
        ]
    )
    chances = 1 / (1 + np.exp(-(latent + shift + rng.normal(0, 0.3, (N_ITEMS, len(CELLS))))))
    return rng.binomial(3, chances) / 3, clusters


def regression(
    scores: np.ndarray, clusters: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of cells' columns beside one intercept per item, and errors robust to clusters (CR1)."""
    n, n_cells = scores.shape
    within = (scores - scores.mean(axis=1, keepdims=True)).ravel()
    design = np.tile(columns - columns.mean(axis=0), (n, 1))
    groups = np.repeat(clusters, n_cells)
    # The factor is G / (G - 1) alone, as the errors of a mean have it.
    fit = sm.OLS(within, design).fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    n_groups = len(np.unique(clusters))
    return fit.params, fit.bse * np.sqrt(n_groups / (n_groups - 1))


def effect_columns(level_of: list[Any], levels: tuple[Any, ...]) -> np.ndarray:
    """A column for each level but the first, centred so that other factors' effects are averages."""
    columns = np.array([[float(level == one) for one in levels[1:]] for level in level_of])
    return columns - columns.mean(axis=0)


def of_kind(found: FactorialAnalysis, kind: str, *factors: str) -> list[Contrast]:
    return [one for one in found.contrasts if one.kind == kind and one.factors == factors]


@pytest.mark.parametrize("is_clustered", [False, True])
def test_effects_and_errors_are_those_of_a_regression_with_robust_errors(is_clustered: bool) -> None:
    scores, codes = constructed()
    clusters = codes if is_clustered else np.arange(N_ITEMS)
    found = analyse(scores, CELLS, codes if is_clustered else None)
    model = effect_columns([cell["model"] for cell in CELLS], MODELS)
    prompt = effect_columns([cell["prompt"] for cell in CELLS], PROMPTS)
    temperature = effect_columns([cell["temperature"] for cell in CELLS], TEMPERATURES)
    interaction = np.column_stack([column * prompt[:, 0] for column in model.T])
    columns = np.column_stack([model, prompt, temperature, interaction])
    params, errors = regression(scores, clusters, columns)
    contrasts = [
        *of_kind(found, "main effect", "model"),
        *of_kind(found, "main effect", "prompt"),
        *of_kind(found, "main effect", "temperature"),
        *of_kind(found, "interaction", "model", "prompt"),
    ]
    assert [one.estimate for one in contrasts] == pytest.approx(params.tolist(), abs=1e-9)
    assert [one.standard_error for one in contrasts] == pytest.approx(errors.tolist(), rel=1e-6)


def test_a_trend_is_the_slope_of_a_regression_on_the_numbers() -> None:
    scores, codes = constructed()
    column = np.array([[cell["temperature"]] for cell in CELLS])
    params, errors = regression(scores, codes, column)
    (trend,) = of_kind(analyse(scores, CELLS, codes), "trend", "temperature")
    assert trend.estimate == pytest.approx(params[0], rel=1e-9)
    assert trend.standard_error == pytest.approx(errors[0], rel=1e-6)


def test_the_joint_test_is_hotellings_and_the_analysis_of_variance_that_of_statsmodels() -> None:
    scores, _ = constructed()
    two = [number for number, cell in enumerate(CELLS) if cell["temperature"] == 0.5]
    cells = [{name: CELLS[number][name] for name in ("model", "prompt")} for number in two]
    found = analyse(scores[:, two], cells)
    long = pd.DataFrame(
        [
            {"item": item, "score": scores[item, number], **cell}
            for item in range(N_ITEMS)
            for number, cell in zip(two, cells, strict=True)
        ]
    )
    table = AnovaRM(long, "score", "item", within=["model", "prompt"]).fit().anova_table
    for test, name in zip(found.tests, ["model", "prompt", "model:prompt"], strict=True):
        assert test.anova_f == pytest.approx(table.loc[name, "F Value"], rel=1e-8)
        assert (test.df, test.anova_df_error) == tuple(table.loc[name, ["Num DF", "Den DF"]])
    cube = scores[:, two].reshape(N_ITEMS, 3, 2)
    by_model = cube.mean(axis=2)
    expected = hotelling(by_model[:, 1:] - by_model[:, :1], np.zeros(2))
    assert found.tests[0].f_statistic == pytest.approx(expected.statistic, rel=1e-8)
    assert found.tests[0].p_value == pytest.approx(expected.pvalue, abs=0.02)


# Published answers --------------------------------------------------------------------------------------


def matrix(name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    folder = SHARED / name
    if not Path(folder / "matrix.csv").is_file():
        pytest.skip(f"the published answers {name} are not here")
    return pd.read_csv(folder / "matrix.csv"), json.loads((folder / "reference.json").read_text())


def test_a_prompt_over_27_tasks_has_the_errors_by_item_and_by_task() -> None:
    # M. Suzgun et al., arXiv:2210.09261: code-davinci-002 with and without chain of thought.
    answers, reference = matrix("factorial-bbh")
    scores, cells = answers[["direct", "cot"]], [{"prompt": "direct"}, {"prompt": "cot"}]
    (by_item,) = analyse(scores, cells).contrasts
    (by_task,) = analyse(scores, cells, answers["cluster"]).contrasts
    expected = reference["effect_items"]
    assert by_item.estimate == pytest.approx(expected["estimate"], abs=1e-6)
    assert by_item.standard_error == pytest.approx(expected["se_item"], abs=1e-6)
    assert by_task.standard_error == pytest.approx(expected["se_task_cluster_CR1"], abs=1e-6)
    assert (round(by_item.estimate, 4), round(by_item.standard_error, 4)) == (0.2162, 0.0073)
    assert round(by_task.standard_error, 4) == 0.0439
    assert by_item.test == "exact mcnemar"
    assert by_item.p_value == pytest.approx(reference["discordant"]["mcnemar_exact_p"], rel=1e-9)


@pytest.fixture(scope="module")
def judges() -> tuple[np.ndarray, list[dict[str, Any]], pd.Series, dict[str, Any]]:
    """Six models and five prompts that judge 315 pairs of answers, each in both orders (arXiv:2310.07641)."""
    answers, reference = matrix("factorial-llmbar-casestudy")
    design = reference["design"]
    cells = [{"judge": judge, "prompt": prompt} for judge in design["judges"] for prompt in design["prompts"]]
    orders = [[f"{cell['judge']}/{cell['prompt']}/{order}" for order in ("AB", "BA")] for cell in cells]
    # A judgement that could not be read counts as wrong there.
    scores = np.column_stack([answers[pair].fillna(0).mean(axis=1) for pair in orders])
    return scores, cells, answers["cluster"], reference


@pytest.mark.parametrize(("error", "is_clustered"), [("se_item", False), ("se_cluster", True)])
def test_effects_and_interactions_of_judges_and_prompts(judges: Any, error: str, is_clustered: bool) -> None:
    scores, cells, clusters, reference = judges
    found = analyse(scores, cells, clusters if is_clustered else None)
    for factor, key in (("judge", "judge_vs_first"), ("prompt", "prompt_vs_first")):
        for one in of_kind(found, "main effect", factor):
            expected = reference[key][one.levels[0]]
            assert one.estimate == pytest.approx(expected["estimate"], abs=1e-6)
            assert one.standard_error == pytest.approx(expected[error], abs=1e-6)
    interactions = of_kind(found, "interaction", "judge", "prompt")
    assert len(interactions) == len(reference["interaction_vs_first"]) == 20
    for one in interactions:
        (judge, prompt), (first_judge, first_prompt) = one.levels, one.references
        key = f"({prompt}-{first_prompt}) in {judge} minus in {first_judge}"
        expected = reference["interaction_vs_first"][key]
        assert one.estimate == pytest.approx(expected["estimate"], abs=1e-6)
        assert one.standard_error == pytest.approx(expected[error], abs=1e-6)


def test_means_shares_and_analysis_of_variance_of_judges_and_prompts(judges: Any) -> None:
    scores, cells, _, reference = judges
    found = analyse(scores, cells)
    for factor in found.factors:
        for level, mean in zip(factor.levels, factor.means, strict=True):
            expected = reference[f"marginal_{factor.name}"][level]["estimate"]
            assert mean.mean == pytest.approx(expected, abs=1e-6)
    names = ["judge", "prompt", "judge:prompt"]
    for name, test in zip(names, found.tests, strict=True):
        expected = reference["anova_rm"][name]
        assert test.anova_f == pytest.approx(expected["F"], abs=1e-4)
        assert (test.df, test.anova_df_error) == (expected["df1"], expected["df2"])
        assert test.p_value == 0.001
    shares = reference["share_of_between_cell_variance"]
    assert [share.share for share in found.shares] == pytest.approx(list(shares.values()), abs=1e-4)
    assert [round(100 * share.share) for share in found.shares] == [64, 21, 15]


def test_five_clusters_bear_out_no_joint_statement(judges: Any) -> None:
    scores, cells, clusters, _ = judges
    found = analyse(scores, cells, clusters)
    assert (found.n_items, found.n_clusters, found.n_cells) == (315, 5, 30)
    assert {one.reason for one in found.contrasts} == {"too few clusters for this level"}
    assert [test.method.startswith("none") for test in found.tests] == [True, False, True]
