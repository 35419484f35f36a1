import numpy as np
import pytest

from scripts.analysis.replicates import as_rows, item_means


@pytest.mark.parametrize("wrong", [np.zeros((2, 2, 2)), np.empty((3, 0)), 1.0])
def test_what_has_no_row_per_item_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="need a row per item"):
        as_rows(wrong)


def test_an_infinity_is_refused() -> None:
    with pytest.raises(ValueError, match="infinity"):
        as_rows([[1, float("inf")]])


def test_no_items_have_no_means() -> None:
    assert item_means(as_rows(np.empty((0, 3)))).tolist() == []
