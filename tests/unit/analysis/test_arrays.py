from scripts.analysis.arrays import cluster_codes

NAN = float("nan")


def test_items_without_a_label_are_their_own_clusters() -> None:
    assert cluster_codes(["a", None, "a", None], 4).tolist() == [0, 1, 0, 2]
    assert cluster_codes(["a", NAN, "a", NAN], 4).tolist() == [0, 1, 0, 2]
    assert cluster_codes([None, 0, 1], 3).tolist() == [0, 1, 2]
