"""What is missing is an error wherever a template makes a text of it; all else is as Jinja writes it."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest

from scripts.experiment.templates import TEXT_FILTERS, environment

FIELDS: dict[str, Any] = {
    "question": "How many?",
    "choices": ["3", "4"],
    "gap": None,
    "rows": [{"a": 1}, {"a": None}],
    "about": {"x": None, "y": 1},
}


def write(template: str) -> str:
    return environment().from_string(template).render(FIELDS)


NULLS = [
    *("{{ gap }}", "{{ none }}", "{{ gap | default(gap) }}", "{{ about.get('k') }}"),
    *("{{ [gap] }}", "{{ [none] }}", "{{ [[[gap]]] }}", "{{ (1, gap) }}", "{{ {'a': gap} }}", "{{ about }}"),
    *("{{ 'a' ~ gap }}", "{{ 'a' ~ none }}", "{{ 'a' ~ [gap] }}", "{{ 'a' ~ about.get('k') }}"),
    *("{{ '%s' % gap }}", "{{ '%s %s' % (1, gap) }}", "{{ '%s' | format(gap) }}"),
    *("{{ '{}'.format(gap) }}", "{{ '{a}'.format(a=about) }}", "{{ '{x}'.format_map(about) }}"),
    *("{{ [gap] | join }}", "{{ choices | join(gap) }}", "{{ rows | join(',', attribute='a') }}"),
    *("{{ [gap] | map('string') | join }}", "{{ rows | map(attribute='a') | join(', ') }}"),
    *("{{ about | tojson }}", "{{ rows | tojson }}", "{{ question | replace('H', gap) }}"),
    *("{% filter upper %}{{ gap }}{% endfilter %}", "{% set text %}{{ gap }}{% endset %}{{ text }}"),
    *(f"{{{{ gap | {name} }}}}" for name in TEXT_FILTERS if name not in {"replace", "format"}),
]


@pytest.mark.parametrize("template", NULLS)
def test_a_null_is_never_written_out(template: str) -> None:
    with pytest.raises(ValueError, match="null"):
        write(template)


ABSENT = [
    *("{{ typo }}", "{{ question.typo }}", "{{ [typo] }}", "{{ {'a': question.typo} }}", "{{ 'a' ~ typo }}"),
    *("{{ choices | map(attribute='typo') | list }}", "{{ choices | map(attribute='typo') | join }}"),
    *("{{ rows | join(attribute='typo') }}", "{{ [question.typo] | tojson }}", "{{ '%s' % typo }}"),
    *("{{ [typo] | string }}", "{{ [typo] | pprint }}", "{{ '{}'.format([typo]) }}", "{{ typo | upper }}"),
]


@pytest.mark.parametrize("template", ABSENT)
def test_a_field_that_is_not_there_is_named_at_any_depth(template: str) -> None:
    with pytest.raises(jinja2.UndefinedError, match="'typo'"):
        write(template)


@pytest.mark.parametrize(
    "template",
    ["{{ question.upper }}", "{{ choices | map('upper') }}", "{{ about.items() }}", "{{ range(3) }}"],
)
def test_what_is_no_text_is_not_written_out(template: str) -> None:
    with pytest.raises(
        ValueError, match=r"would be written out, not a text; is `\| list` or `\(\)` missing\?"
    ):
        write(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ choices }} {{ choices | join(', ') }} {{ choices | tojson }} {{ choices | map('upper') | list }}",
        "{{ 1.5 ~ 'x' ~ true }} {{ 7 % 4 }} {{ '%03d' % 7 }} {{ '%s-%s' | format(1, 'b') }}",
        "{{ '{:>4}'.format('a') }} {{ question | wordwrap(4) | replace('H', 'J') }}",
        "{% macro bold(text) %}<{{ text }}>{% endmacro %}{{ bold(3) }} {{ 'none' if gap is none else gap }}",
        "{{ gap or 'w' }} {{ gap | default('z', true) }} {{ about.y }} {{ rows[0] | tojson }}",
        "{{ rows | map(attribute='a') | select('number') | list }}",
        "{{ {'class': 'x', 'id': gap} | xmlattr }} {{ question | truncate(6) }} {{ choices | sort | first }}",
    ],
)
def test_all_else_is_written_as_jinja_writes_it(template: str) -> None:
    plain = jinja2.Environment()
    assert write(template) == plain.from_string(template).render(FIELDS)


@pytest.mark.parametrize("index", ["26", "-1", "'A'", "1.0", "true", "gap"])
def test_only_26_options_have_letters(index: str) -> None:
    with pytest.raises(ValueError, match="the filter letter gives A to Z for 0 to 25"):
        write(f"{{{{ {index} | letter }}}}")
