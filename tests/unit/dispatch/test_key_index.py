from __future__ import annotations

import pytest

from scripts.dispatch.key_index import KeySet, RowIndex


def test_rows_of_a_key_keep_their_order():
    with RowIndex() as index:
        index.add((f"k{n % 3}", str(n)) for n in range(9))
        assert index.get("k1") == ["1", "4", "7"]
        assert index.count("k1") == 3
        assert index.get("nobody") == []
        assert len(index) == 3


@pytest.mark.parametrize("key", ["", "\ud800", "a\0b", "é", "x" * 100_000])
def test_any_text_is_a_key(key):
    with RowIndex() as index, KeySet() as keys:
        index.add([(key, "text\0\N{SNOWMAN}")])
        assert key in index
        assert index.get(key) == ["text\0\N{SNOWMAN}"]
        assert keys.add(key)
        assert not keys.add(key)
        assert keys.discard(key)
        assert not keys.discard(key)
        assert key not in keys


def test_many_rows_spill_and_stay_complete():
    with RowIndex() as index, KeySet() as keys:
        index.add((f"{n:064d}", "x" * 500) for n in range(40_000))
        keys.update(f"{n:064d}" for n in range(40_000))
        assert len(index) == len(keys) == 40_000
        assert index.get(f"{39_999:064d}") == ["x" * 500]


def test_an_exception_among_the_rows_comes_through_and_nothing_stays_open():
    def rows():
        yield "k", "text"
        raise ValueError("broken row")

    with pytest.raises(ValueError, match="broken row"), RowIndex() as index:
        index.add(rows())
