"""Our own training's model files as tables: every half scores as its party did (C1, C2, S2)."""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from handlers.model import own_model
from handlers.prepared import own_prepared
from handlers.preparing import common_rows
from handlers.scores import held_out_scores
from learning.fixed_point import from_grid
from paillier.keys import generate_key_pair
from scoring.combining import combine
from scoring.engines.engine import Engine
from scoring.errors import ModelFileError
from scoring.files.trained import read_trained
from scoring.model_tables import ModelTables
from tests.handlers.conftest import federation_rows
from tests.scoring.documents import Floats, features_table, scores_of
from tests.simulation import SimulatedParty, Simulation, job_terms


@cache
def trained(kind: str, coding: str) -> Simulation:
    terms = job_terms(kind=kind, coding=coding, label_unit=2.5 if kind == "linear" else 1.0)
    rows = federation_rows(linear=kind == "linear")
    return Simulation(terms, rows, generate_key_pair(512, minimum_bits=512)).run()


def model_file(party: SimulatedParty) -> bytes:
    assert party.history is not None
    return own_model(party.history, party.own).model_dump_json(indent=1).encode()


def sql_scores(engine: Engine, party: SimulatedParty) -> Floats:
    """float64[held-out rows, 1] by the tables, of the raw columns."""
    assert party.history is not None
    assert party.rows is not None
    half = read_trained(model_file(party))
    ModelTables(engine).store(half)
    held_out = own_prepared(party.history, party.own).held_out_mask
    rows = common_rows(party.history, party.own)[held_out]
    features: dict[str, Any] = {
        name: [None if value != value else value for value in column[rows].tolist()]  # noqa: PLR0124
        for name, column in party.rows.columns.items()
    }
    table = features_table(engine, features, half.text_inputs)
    return scores_of(engine, ModelTables(engine).score_query(half.model_id, table))


@pytest.mark.parametrize("coding", ["one-hot", "ordinal"])
@pytest.mark.parametrize("kind", ["logistic", "linear"])
def test_the_halves_score_as_their_parties_did(engine: Engine, kind: str, coding: str) -> None:
    simulation = trained(kind, coding)
    unit = simulation.terms.label_unit
    parts: list[Floats] = []
    wholes: list[Floats] = []
    for name in ("bank", "partner"):
        party = simulation[name]
        assert party.history is not None
        expected = from_grid(held_out_scores(party.history, party.own)) * unit
        assert len(set(expected.tolist())) > 3
        found = sql_scores(engine, party)[:, 0]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        parts.append(found)
        wholes.append(expected)
    together = combine("sigmoid" if kind == "logistic" else "sum", parts)
    whole = np.sum(wholes, axis=0)
    exact = whole if kind == "linear" else 1 / (1 + np.exp(-whole))
    np.testing.assert_allclose(together, exact, rtol=1e-9)


def test_a_file_is_read_under_another_model_id() -> None:
    content = model_file(trained("logistic", "one-hot")["bank"])
    assert read_trained(content).model_id == "job-1"
    assert read_trained(content, "autumn").model_id == "autumn"


def test_a_file_that_is_none_is_refused_by_place() -> None:
    document = json.loads(model_file(trained("logistic", "one-hot")["bank"]))
    document["variables"][0]["bins"][0]["weight"] = "154123456789"
    with pytest.raises(ModelFileError, match=r"variables\.0\.bins\.0\.weight") as caught:
        read_trained(json.dumps(document).encode())
    assert "154123456789" not in str(caught.value)
    with pytest.raises(ModelFileError, match="not a model file of our training"):
        read_trained(b"\x80\x04")


def test_bins_that_do_not_fit_are_refused() -> None:
    document = json.loads(model_file(trained("logistic", "one-hot")["bank"]))
    del document["variables"][0]["bins"][0]
    with pytest.raises(ModelFileError, match="needs a weight for every bin"):
        read_trained(json.dumps(document).encode())
