"""`make bench` at a small size: what is told is told of checked results."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kernels import main
from benchmarks.other_software import OtherCosts, phe_costs
from benchmarks.whole_round import encrypted_residuals, kernel, whole_round
from benchmarks.workload import BenchmarkError, Workload, check_gradient
from learning.layout import Coding
from learning.residuals import Residual
from paillier import PrivateKey, generate_key_pair, kernel_name
from paillier.kernels import GMPY2

WORK = Workload(rows=60, bins=5, residual=Residual.SMOOTHED)


@pytest.fixture(scope="module")
def private_key() -> PrivateKey:
    return generate_key_pair(512, minimum_bits=512)


def test_the_document_has_steps_and_rounds_of_every_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results" / "figures.json"
    sizes = ["--rows", "60", "--features", "4", "30", "--columns-run", "12", "--bits", "512"]
    main([*sizes, "--kernels", GMPY2, "--out", str(out)])
    document = json.loads(out.read_text())
    assert {step["kernel"] for step in document["steps"]} == {GMPY2}
    names = ("profile", "coding", "features", "features_run")
    assert [tuple(one[name] for name in names) for one in document["rounds"]] == [
        (profile, coding, features, run)
        for profile in ("patent", "default")
        for coding in ("ordinal", "one-hot")
        for features, run in ((4, 4), (30, 12))
    ]
    assert all(one["others_cpu_seconds"]["phe"] > 0 for one in document["rounds"])
    told = capsys.readouterr().out
    assert told.count("12 features were run") == 4
    assert told.count("whole round") == 8


def test_a_round_is_scaled_to_the_features_that_were_not_run(private_key: PrivateKey) -> None:
    with kernel(GMPY2):
        residuals = encrypted_residuals(private_key, WORK, None, threads=1)
        figures = whole_round(private_key, WORK, residuals, 120, 12, GMPY2, threads=1)
        run = whole_round(private_key, WORK, residuals, 12, 12, GMPY2, threads=1)
    assert figures.ciphertexts_decrypted == 10 * run.ciphertexts_decrypted
    assert figures.stages["participant encrypts"] == run.stages["participant encrypts"]
    assert figures.total.cpu == pytest.approx(sum(one.cpu for one in figures.stages.values()))


@pytest.mark.parametrize("coding", ["one-hot", "ordinal"])
def test_customers_share_ciphertexts_where_the_protocol_would(
    private_key: PrivateKey, coding: Coding
) -> None:
    work = Workload(1_000, 5, Residual.TAYLOR, coding)
    packing = work.packing(4, private_key.public.bits)
    assert packing is not None
    with kernel(GMPY2):
        residuals = encrypted_residuals(private_key, work, packing, threads=1)
        figures = whole_round(private_key, work, residuals, 4, 4, GMPY2, threads=1)
    assert len(residuals.ciphertexts) == -(-1_000 // figures.rows_per_ciphertext)
    assert figures.ciphertexts_decrypted == (5 if coding == "ordinal" else 20)


def test_a_wrong_gradient_has_no_figures() -> None:
    codes = np.array([[0, 1, 1], [1, 0, 1]], dtype=np.uint8)
    residuals = np.array([5, -7, 11], dtype=object)
    one_hot, ordinal = (
        Workload(3, 2, Residual.TAYLOR, coding) for coding in ("one-hot", "ordinal")
    )
    check_gradient([5, 4, -7, 16], residuals, codes, one_hot)
    check_gradient([4, 16, 9], residuals, codes, ordinal)
    for sums, work in (([5, 4, 16, -7], one_hot), ([4, 16, 8], ordinal)):
        with pytest.raises(BenchmarkError, match="not what numpy says"):
            check_gradient(sums, residuals, codes, work)


def test_other_software_is_counted_by_what_a_round_needs() -> None:
    costs = OtherCosts(1.0, 10.0, 100.0, 1_000.0, 10_000.0, outputs_per_feature=1)
    taylor = Workload(rows=2, bins=5, residual=Residual.TAYLOR)
    # two vectors, one addition and three features a customer; three outputs
    assert costs.round_seconds(taylor, 3) == 2 * (2 + 10 + 3_000) + 3 * 10_010
    # one vector more, each of two taken times a multiplier
    assert costs.round_seconds(WORK, 3) == 60 * (3 + 20 + 200 + 3_000) + 3 * 10_010


def test_phe_is_measured_on_results_that_are_right() -> None:
    costs = phe_costs(512)
    assert costs.encryption > costs.addition > 0
    assert costs.bucket > 0


def test_the_kernel_is_chosen_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TALLYSTICK_KERNEL", raising=False)
    before = kernel_name()
    with kernel(GMPY2):
        assert kernel_name() == GMPY2
    assert kernel_name() == before
