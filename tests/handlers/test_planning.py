"""What the cost model chose is in a party's output once a job: why its rounds take their time."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.simulation import Simulation, job_terms


@pytest.mark.parametrize(
    ("changes", "rows_per_ciphertext"),
    [({}, 1), ({"profile": "patent", "rows_per_ciphertext": 3}, 3)],
    ids=["default", "patent"],
)
def test_each_data_party_says_its_plan_once(
    changes: dict[str, Any], rows_per_ciphertext: int, key: PrivateKey
) -> None:
    federation = Simulation(job_terms(**changes), federation_rows(), key, seed=1)
    with capture_logs() as said:
        federation.run()
    plans = [line for line in said if line["event"] == "gradient_planned"]
    assert len(plans) == len(federation.terms.data_parties)
    for plan in plans:
        assert plan["rows_per_ciphertext"] == rows_per_ciphertext
        assert (plan["sums_per_ciphertext"] > 1) == (rows_per_ciphertext == 1)
        assert plan["passes"] * plan["variables_a_pass"] >= 2
        assert 0 <= plan["window"] <= 12
