"""`tally bench` and the measurement behind it, with short keys."""

import json
from collections.abc import Sequence

import pytest
from gmpy2 import mpz

from events.terms import Member
from events.vocabulary import Role
from paillier import PublicKey, kernel_name, multiply
from store.errors import StoreFullError
from tallystick.errors import MeasurementError
from tallystick.forecast import machine_for, with_forecast
from tallystick.job_file import make_terms
from tallystick.measuring import Look, measure_machine, payload_costs
from tests.tallystick.conftest import Trained
from tests.tallystick.federations import tally, well

MEMBERS = tuple(
    Member(name=name, role=role)
    for name, role in (
        ("bank", Role.LOCAL),
        ("partner", Role.PARTICIPANT),
        ("arbiter", Role.ARBITER),
    )
)
SMALL = Look(
    values=16,
    window=3,
    bucket_rows=32,
    decryptions=2,
    payload_bytes=4_096,
    messages=1,
    repeats=1,
)


@pytest.fixture(autouse=True)
def _small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.commands.bench.THOROUGH", SMALL)


def test_bench_names_the_kernel_and_tells_a_round_by_party() -> None:
    told = well(tally("bench", "--rows", 1_000, "--participants", 2, "--key-bits", 512))
    lines = told.out.splitlines()
    assert lines[0].startswith(f"kernel {kernel_name()}, ")
    assert lines[0].endswith(" cores, key of 512 bits")
    assert any(line.startswith("decryption of one ciphertext") for line in lines)
    for party in ("bank", "partner-1", "partner-2", "arbiter"):
        assert any(line.startswith(f"{party} ") for line in lines)
    assert any(line.startswith("all parties on this one") for line in lines)
    assert any(line.startswith("Assumed: ") for line in lines)
    assert "Aligning 1,000 customers of every party by psi, once." in lines


@pytest.mark.parametrize(("profile", "residual"), [("default", "smoothed"), ("patent", "taylor")])
def test_bench_as_json_has_every_figure(profile: str, residual: str) -> None:
    arguments = ["--features", 7, "--key-bits", 512, "--profile", profile, "--json"]
    document = json.loads(well(tally("bench", *arguments)).out)
    assert document["kernel"] == kernel_name()
    assert document["job"]["residual"] == residual
    assert document["job"]["features"] == {"bank": 7, "partner-1": 7}
    assert all(cost["cpu"] > 0 for cost in document["unit_costs"].values())
    alignment = document["alignment"]
    assert alignment["by"] == {"default": "psi", "patent": "hash"}[profile]
    assert set(alignment["parties"]) == {"bank", "partner-1"}
    assert alignment["apart"] > 0
    parties = document["round"]["parties"]
    assert document["round"]["together"] == pytest.approx(
        sum(cost["wall"] for cost in parties.values())
    )


@pytest.mark.parametrize(("option", "value"), [("--profile", "fast"), ("--key-bits", "513")])
def test_bench_refuses_what_no_job_has(option: str, value: str) -> None:
    outcome = tally("bench", option, value)
    assert outcome.code == 2
    assert value in outcome.err


def test_training_tells_the_estimate_once_before_the_first_round(trained: Trained) -> None:
    lines = trained.outcome.err.splitlines()
    told = [number for number, line in enumerate(lines) if line.startswith("a round will take")]
    first_round = next(
        number for number, line in enumerate(lines) if line.startswith("round 1 of at most 3, ")
    )
    assert len(told) == 1
    assert told[0] < first_round
    assert lines[told[0]].split(", ")[1].startswith("at most 3 rounds: ")


def test_a_figure_never_stands_for_a_wrong_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def multiply_wrongly(
        vectors: Sequence[Sequence[mpz]], key: PublicKey, threads: int
    ) -> list[mpz]:
        return multiply(vectors, key, threads)[::-1]

    monkeypatch.setattr("tallystick.measuring.multiply", multiply_wrongly)
    with pytest.raises(MeasurementError, match=kernel_name()):
        measure_machine(512, 2, 2, SMALL)


def test_a_disk_without_room_costs_the_estimate_and_not_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_room(size: int, repeats: int) -> None:
        raise StoreFullError(f"no room for {size} bytes")

    monkeypatch.setattr("tallystick.measuring.payload_costs", no_room)
    terms = make_terms(MEMBERS, key_bits=512, short_key_for_tests=True)
    assert machine_for(terms, 1) is None
    assert list(with_forecast(iter([None]), "spring", None, pytest.fail)) == [None]


def test_payloads_are_measured_by_the_byte() -> None:
    sending, receiving = payload_costs(1 << 16, 1)
    assert 0 < sending.wall < 1
    assert 0 < receiving.wall < 1
