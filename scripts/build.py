"""Phase build: render every request of a trial, item by item."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.dispatch.payloads import check_request
from scripts.experiment.datasets import read_prepared
from scripts.experiment.prompts import Prompt, find_prompt
from scripts.experiment.settings import Settings
from scripts.files import atomic_open, dump_line
from scripts.providers import Provider, make_provider
from scripts.records import Request, Trial, Usage
from scripts.run.job import phase_job, phase_parser, trial_job

ENVELOPE_BYTES = 1000
"""More than what a provider's line has around the body."""

MAX_BYTES_PER_CHARACTER = 4


def build_requests(
    trial: Trial, prompt: Prompt, provider: Provider, dataset: str, prepared: Path
) -> Iterator[Request]:
    """Yield the trial's requests of one dataset: items in their order, each with all its replicates."""
    for item in read_prepared(prepared):
        body = provider.body(prompt.messages(item), trial, dataset, item)
        for replicate in range(trial.replicates):
            yield Request.render(dataset=dataset, item_id=item.id, replicate=replicate, body=body)


def build_trial(settings: Settings, trial: Trial, prepared: Sequence[Path], *, out: Path) -> None:
    """
    Write ``requests.jsonl`` of a trial, one request in memory at a time.

    Raises
    ------
    LimitError
        For a request that no batch can hold.
    """
    provider = make_provider(settings, trial.model)
    prompt = find_prompt(settings, trial.prompt)
    limits = provider.limits
    spacious = min(limits.max_bytes, limits.max_line_bytes or limits.max_bytes) - ENVELOPE_BYTES
    with atomic_open(out) as handle:
        for path in prepared:
            for request in build_requests(trial, prompt, provider, path.stem, path):
                line = dump_line(request.to_json())
                if len(line) * MAX_BYTES_PER_CHARACTER > spacious:
                    check_request(request, provider.encode(request).encode(), Usage(), limits)
                handle.write(line)


def main(argv: Sequence[str] | None = None) -> int:
    """Build one trial's requests (the command of rule ``build``)."""
    parser = phase_parser("build", "Render every request of a trial.")
    parser.add_argument("--prepared", type=Path, nargs="+", required=True, help="the prepared datasets")
    parser.add_argument("--prompts", type=Path, nargs="*", default=[], help="the prompt's template files")
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    options = parser.parse_args(argv)
    inputs = [*options.prepared, *options.prompts]
    with phase_job(trial_job("build", options, inputs=inputs, outputs=[options.out])) as settings:
        build_trial(settings, settings.trial(options.trial), options.prepared, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
