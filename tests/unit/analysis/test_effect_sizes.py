import numpy as np
import pytest

from scripts.analysis.effect_sizes import cohen_d_z, cohen_h


def test_effect_sizes_of_too_little_are_missing() -> None:
    assert cohen_d_z(np.array([0.5])).method == "none: fewer than two pairs"
    assert cohen_d_z(np.array([0.5, 0.5])).method == "none: no variation"
    with pytest.raises(ValueError, match="must be proportions"):
        cohen_h(1.2, 0.5)
