"""Phase prepare: read a dataset as the user has it, check every item, write it as Parquet."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.experiment.datasets import BATCH_ROWS, item_row, prepared_schema, read_items
from scripts.files import atomic_path
from scripts.records import Item
from scripts.run.job import Job, phase_job, phase_parser


def prepare_dataset(source: Path, *, limit: int | None, out: Path) -> int:
    """Write the first `limit` items of `source` (all if None) to `out`, and count them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n_items = 0
    schema = prepared_schema()
    with atomic_path(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for chunk in _chunks(read_items(source, limit=limit)):
            writer.write_table(pa.Table.from_pylist([item_row(item) for item in chunk], schema=schema))
            n_items += len(chunk)
    return n_items


def _chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    while chunk := list(itertools.islice(items, BATCH_ROWS)):
        yield chunk


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare one dataset (the command of rule ``prepare``)."""
    parser = phase_parser("prepare", "Check a dataset and write it as Parquet.", unit="dataset")
    parser.add_argument("--source", type=Path, required=True, help="the dataset: JSONL, CSV or Parquet")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    options = parser.parse_args(argv)
    job = Job(
        "prepare",
        options.run,
        options.dataset,
        (options.source,),
        (options.out,),
        options.made_from,
    )
    with phase_job(job) as settings:
        prepare_dataset(options.source, limit=settings.config["limit_items"], out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
