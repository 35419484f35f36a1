"""The plan of a run as text for a terminal of 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scripts.errors import shorten
from scripts.reporting.tables import compact, count, decimal, dollars, plural

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from scripts.experiment.settings import Settings

MAX_ROWS = 40
"""More trials than this are counted, not listed; the JSON lists them all."""

POWERS = ("power_80", "power_90")
BUDGET_WORDS = {
    "enough": "enough, even if every answer is as long as it may be",
    "maybe": "enough for answers of typical length, but a batch that might exceed it is refused",
    "short": "not enough: batches that would exceed it are refused",
    "unpriced": "cannot be enforced, because a model has no price: submit refuses the run",
}


def render(plan: Mapping[str, Any]) -> RenderableType:
    """Draw a plan."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(line) for line in _head_lines(plan)]
    parts += [Text(), _trial_table(plan)]
    parts += [Text(line) for line in _money_lines(plan)]
    parts.append(Text())
    parts += [Text(f"Warning: {warning}\n") for warning in plan.get("warnings", ())]
    if not plan["power"]["comparisons"]:
        parts.append(Text("No comparisons: no trial has a baseline (trials.baseline)."))
        return Group(*parts)
    groups = _group_comparisons(plan["power"]["comparisons"])
    parts += [_power_table(groups), Text(), _needed_table(groups), Text()]
    parts += [Text(line) for line in _power_lines(plan["power"])]
    return Group(*parts)


def _head_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    totals = plan["totals"]
    items = "; ".join(f"{name}: {plural(part['n_items'], 'item')}" for name, part in plan["datasets"].items())
    yield f"{plan['run_id']}  ({plan['config']})"
    yield items
    line = f"{plural(totals['n_trials'], 'trial')}, {plural(totals['n_requests'], 'request')}"
    if totals["n_sent"]:
        line += f", {count(totals['n_sent'])} of them already sent and not counted below"
    if totals["n_repeated"]:
        line += f", {count(totals['n_repeated'])} identical to another one and sent once"
    yield f"{line}."
    for row in [row for row in plan["trials"] if row["paid_under"]][:MAX_ROWS]:
        yield paid_line(row["trial"], row["paid_under"])


def paid_lines(settings: Settings) -> Iterator[str]:
    """Say which trials that have sent nothing ask what others have paid for: see `paid_line`."""
    from scripts.planning.forecast import find_new_trials, forecast_trials

    if not (names := find_new_trials(settings)):
        return
    for forecast in forecast_trials(settings):
        if forecast.trial.name in names and forecast.paid_under:
            yield paid_line(forecast.trial.name, forecast.paid_under)


def paid_line(trial: str, others: Sequence[str]) -> str:
    """
    Say that a trial asks what others have paid for.

    Examples
    --------
    >>> paid_line("m__new", ["m__old"])
    'm__new: already paid under m__old; those answers are taken over, not paid for again.'
    """
    return f"{trial}: already paid under {shorten(others)}; those answers are taken over, not paid for again."


def _trial_table(plan: Mapping[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("trial", ratio=1, overflow="fold")
    for header in ("to send", "input tokens", "output tokens", "dollars"):
        table.add_column(header, justify="right", no_wrap=True)
    rows = plan["trials"][:MAX_ROWS]
    for row in rows:
        table.add_row(Text(row["trial"]), *_cells(row))
    if len(rows) < len(plan["trials"]):
        table.add_row(f"and {count(len(plan['trials']) - len(rows))} more (--json)")
    table.add_row(Text("all", style="bold"), *_cells(plan["totals"]))
    return table


def _cells(row: Mapping[str, Any]) -> Iterator[str]:
    yield count(row["n_to_send"])
    yield _range(row["input_tokens"])
    yield _range(row["output_tokens"])
    yield "no price" if row["cost_usd"] is None else _dollar_range(row["cost_usd"])


def _range(span: Mapping[str, Any]) -> str:
    low, high = _short(span["typical"]), _short(span["upper"])
    return low if low == high else f"{low}–{high}"


def _dollar_range(span: Mapping[str, Any]) -> str:
    low, high = dollars(span["typical"]), dollars(span["upper"])
    return low if low == high else f"{low}–{high.removeprefix('$')}"


def _short(number: float) -> str:
    """
    A count of tokens in few characters.

    Examples
    --------
    >>> _short(950), _short(12_345), _short(3_456_789), _short(999_950)
    ('950', '12.3k', '3.5M', '1.0M')
    """
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size * 0.99995:
            return f"{number / size:.1f}{unit}"
    return count(number)


def _money_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    lengths = {
        (round(row["answer_tokens"]["typical"]), row["answer_tokens"]["from"]) for row in plan["trials"]
    }
    texts = [f"{tokens} ({source})" for tokens, source in sorted(lengths)]
    shown = texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"
    yield ""
    yield (
        f"Ranges go from typical (four bytes of text per token, {shown} tokens per answer) to the maximum "
        "there can be (three bytes, every answer at full length). Requests that fail and are sent again "
        "come on top."
    )
    yield from _price_lines(plan["trials"])
    if plan["totals"]["n_without_price"]:
        yield f"Without a price: {plural(plan['totals']['n_without_price'], 'trial')}, not in the sum."
    budget = plan["budget"]
    if budget["spent_usd"]:
        yield f"Already spent or reserved by this run: {dollars(budget['spent_usd'])}."
    if budget["budget_usd"] is None:
        yield "No budget is set (budget_usd)."
    else:
        left, whole = dollars(budget["left_usd"]), dollars(budget["budget_usd"])
        yield f"Budget: {left} left of {whole}: {BUDGET_WORDS[budget['verdict']]}."


def _price_lines(trials: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    models: dict[str, list[str]] = {}
    for row in trials:
        names = models.setdefault(_price_text(row["price"]), [])
        if row["model"] not in names:
            names.append(row["model"])
    for text, names in models.items():
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        yield f"Price of {shown}: {text}."


def _price_text(price: Mapping[str, Any] | None) -> str:
    if price is None:
        return "none known"
    rates = f"${compact(price['input'])} in, ${compact(price['output'])} out per million tokens"
    batch = "" if price["batch_multiplier"] == 1 else f", times {compact(price['batch_multiplier'])}"
    date = "" if price["as_of"] is None else f", {price['as_of']}"
    return f"{rates}{batch}; from {price['source']}{date}"


def _group_comparisons(comparisons: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Show comparisons with the same numbers once."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for entry in comparisons:
        groups.setdefault(repr([entry["smallest"], entry["needed_items"]]), []).append(entry)
    named = []
    for group in list(groups.values())[:MAX_ROWS]:
        name = group[0]["trial"]
        if len(group) > 1:
            name = f"each of {len(group)} comparisons"
            if len(groups) > 1:
                name += f", such as {group[0]['trial']}"
        named.append((name, group[0]))
    return named


def _comparisons_table(title: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    table.add_column("comparison", ratio=1, overflow="fold")
    return table


def _power_table(groups: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    from rich.text import Text

    table = _comparisons_table("Smallest detectable difference, in points of correct answers")
    table.add_column("dataset", overflow="fold")
    for header in ("items", "80 % power", "90 % power"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, entry in groups:
        for dataset, smallest in entry["smallest"].items():
            label = name if dataset == "all" else ""
            cells = (_points(smallest[power]) for power in POWERS)
            table.add_row(Text(label), Text(dataset), count(smallest["n_items"]), *cells)
        if entry["smallest_adjusted"] is not None:
            cells = (_points(entry["smallest_adjusted"][power]) for power in POWERS)
            table.add_row("", "all, strictest", count(entry["smallest"]["all"]["n_items"]), *cells)
    return table


def _points(difference: float) -> str:
    return "none" if difference > 1 else decimal(100 * difference)


def _needed_table(groups: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    from rich.text import Text

    table = _comparisons_table("Items needed to detect a difference of so many points")
    table.add_column("power", justify="right", no_wrap=True)
    for needed in groups[0][1]["needed_items"]:
        table.add_column(f"{100 * needed['difference']:g}", justify="right", no_wrap=True)
    for name, entry in groups:
        for power in POWERS:
            label = name if power == POWERS[0] else ""
            cells = (count(needed[power]) for needed in entry["needed_items"])
            table.add_row(Text(label), f"{power.removeprefix('power_')} %", *cells)
    return table


def _power_lines(power: Mapping[str, Any]) -> Iterator[str]:
    variances = [entry["variance"] for entry in power["comparisons"]]
    for source in dict.fromkeys(variance["from"] for variance in variances):
        yield _variance_line([variance for variance in variances if variance["from"] == source], source)
    if not all(variance["is_split"] for variance in variances):
        yield (
            "The pilot has no replicates on both sides, so only the whole variance is known: the figures "
            "hold for as many replicates as the pilot had, and are too large for more."
        )
    if power["strictest_level"] is not None:
        yield (
            f"Strictest: what the smallest of {count(power['n_tests'])} p-values must pass "
            f"({power['adjustment']}); the others need less."
        )
    if power["is_clustered"]:
        yield (
            "Items are in clusters, but are treated as independent here: the true figures are larger, "
            "above all if the clusters are large and their items alike."
        )


def _variance_line(variances: Sequence[Mapping[str, Any]], source: str) -> str:
    if not all(variance["is_split"] for variance in variances):
        whole = _spread([variance["item"] for variance in variances if not variance["is_split"]])
        return f"Variance from {source}: {whole} in all."
    between, trial, baseline = (
        _spread([variance[part] for variance in variances]) for part in ("item", "trial", "baseline")
    )
    parts = f"{between} between items; between replicates {trial} for the trial, {baseline} for its baseline"
    if source == "assumed":
        return f"Variances assumed (Miller 2024, his example): {parts}. A pilot gives better ones: --pilot."
    return f"Variances from {source}: {parts}."


def _spread(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3f}", f"{max(values):.3f}"
    return low if low == high else f"{low} to {high}"
