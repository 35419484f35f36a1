"""Where a run's files lie: as the contract says, and as the rules of the workflow spell it."""

import re
from pathlib import Path

from scripts.files import PROJECT_ROOT
from scripts.records import OUTPUTS, PHASES
from scripts.run.paths import RunPaths

PATHS = RunPaths.of("experiments", "demo")


def test_the_files_of_a_run_are_where_the_contract_says() -> None:
    root = Path("experiments/run_demo")
    assert (PATHS.root, PATHS.run_id) == (root, "demo")
    assert PATHS.output("parse", "t1") == root / "trials/t1/parse/outcomes.parquet"
    assert PATHS.outputs("prepare", "quiz") == (root / "datasets/quiz.parquet",)
    assert PATHS.marker("score") == root / "phases/score.done.json"
    assert PATHS.summary == root / "report/summary.json"
    assert PATHS.ledger("t1") == root / "ledger/t1"
    assert PATHS.summary in PATHS.outputs("report", "")


def test_what_outputs_were_made_from_lies_beside_them() -> None:
    assert PATHS.made("prepare", "quiz") == PATHS.datasets / "quiz.made.json"
    assert PATHS.error("prepare", "quiz") == PATHS.datasets / "quiz.error.json"
    assert PATHS.made("score", "t1") == PATHS.folder("score", "t1") / "score.made.json"
    assert PATHS.made("report", "").parent == PATHS.report.parent


def test_the_rules_spell_the_same_paths() -> None:
    paths = RunPaths(Path("{RUN}"))
    different = []
    for phase in PHASES[1:]:
        text = (PROJECT_ROOT / "workflow" / "rules" / f"{phase}.smk").read_text()
        wanted = {str(paths.output(phase, "{{trial}}")), str(paths.made(phase, "{{trial}}"))}
        different += [path for path in wanted if f'f"{path}"' not in text]
    assert different == []
    assert OUTPUTS.keys() == set(PHASES[1:])


def test_no_module_but_this_one_spells_a_path_of_a_run() -> None:
    names = "|".join(
        map(re.escape, ["effective_config.yaml", "run_state.json", "trials.tsv", *OUTPUTS.values()])
    )
    spelled = re.compile(rf'/ "(?:{names}|ledger|trials|phases)"')
    elsewhere = {
        str(path.relative_to(PROJECT_ROOT)): found
        for path in (PROJECT_ROOT / "scripts").rglob("*.py")
        if path.name != "paths.py"
        and path.parent.name != "providers"
        and (found := spelled.findall(path.read_text()))
    }
    assert elsewhere == {}
