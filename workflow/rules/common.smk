"""Settings, names and input functions that the rules share."""

import re

from scripts.run.provenance import made_from
from scripts.run.hooks import Hooks, load_workflow_settings
from scripts.launcher.warm import shell_prefix
from scripts.records import FIGURES, OUTPUTS, PHASES

SETTINGS = load_workflow_settings(workflow, config)
HOOKS = Hooks(SETTINGS, workflow)
RUN = str(SETTINGS.run_root)
LOGS = str(SETTINGS.logs_root)
TRIALS = list(SETTINGS.trial_by_name)
DATASETS = list(SETTINGS.config["datasets"])
PREPARED = expand(f"{RUN}/datasets/{{dataset}}.parquet", dataset=DATASETS)


wildcard_constraints:
    trial="|".join(map(re.escape, TRIALS)),
    dataset="|".join(map(re.escape, DATASETS)),


def run_folder(wildcards):
    """The run's folder."""
    return RUN


def source_file(wildcards):
    """The dataset as the user has it."""
    path = SETTINGS.config["datasets"][wildcards.dataset]["path"]
    return str(SETTINGS.find_file(path, "datasets", wildcards.dataset, "path"))


def prompt_files(wildcards):
    """The template files of a trial's prompt."""
    name = SETTINGS.trial_by_name[wildcards.trial].prompt
    texts = SETTINGS.config["prompts"][name]
    return [
        str(SETTINGS.find_file(path, "prompts", name, role))
        for role, path in texts.items()
    ]


def baseline_scores(wildcards):
    """The scores of a trial's baseline; nothing for a baseline itself."""
    baseline = SETTINGS.trial_by_name[wildcards.trial].baseline
    return [f"{RUN}/trials/{baseline}/score/scores.parquet"] if baseline else []


def baseline_outcomes(wildcards):
    """The outcomes of a trial's baseline; nothing for a baseline itself."""
    baseline = SETTINGS.trial_by_name[wildcards.trial].baseline
    return [f"{RUN}/trials/{baseline}/parse/outcomes.parquet"] if baseline else []


def made(phase):
    """Params that make a phase run again when its settings (or its free code) change."""
    return lambda wildcards: made_from(SETTINGS, phase, wildcards[0])


def phase_outputs(phase):
    """A phase's output of every trial (of every dataset for prepare)."""
    if phase == "prepare":
        return PREPARED
    return expand(f"{RUN}/trials/{{trial}}/{phase}/{OUTPUTS[phase]}", trial=TRIALS)


# Phases are called as `launch scripts.<phase> ...`, a child of the warm process or plain python.
shell.prefix(shell_prefix())
