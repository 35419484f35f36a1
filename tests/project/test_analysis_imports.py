import subprocess
import sys

PROBE = """
import sys
import scripts.analysis.paired, scripts.analysis.multiplicity, scripts.analysis.verdicts
import scripts.analysis.bounds, scripts.analysis.cost_effectiveness, scripts.analysis.gee
import scripts.analysis.meta, scripts.analysis.risk_coverage
import scripts.analysis.selective, scripts.analysis.subgroups, scripts.analysis.variance
import scripts.analysis.simultaneous, scripts.analysis.places, scripts.analysis.factorial
print(sorted({"pandas", "scipy", "statsmodels"} & set(sys.modules)))
"""


def test_importing_the_statistics_loads_no_heavy_library() -> None:
    # Every phase is a process of its own; those that compute nothing must not wait a second for scipy.
    result = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
