"""Model files of every kind are known by what is in them (C1, C4)."""

import gzip
import json
import pickle
from pathlib import Path

import pytest
from sklearn.linear_model import LinearRegression

from events.vocabulary import Role
from scoring.errors import ModelFileError
from scoring.files.reading import read_model_file
from tests.scoring.test_boosted_files import lightgbm_model, xgboost_model
from tests.scoring.test_trained_files import model_file, trained


def written(folder: Path, content: bytes) -> Path:
    path = folder / "model"
    path.write_bytes(content)
    return path


def test_every_kind_is_known_whatever_its_name(tmp_path: Path) -> None:
    for content, inputs in (
        (lightgbm_model("binary").model_to_string().encode(), {"income", "visits", "age"}),
        (bytes(xgboost_model("binary:logistic").save_raw("json")), {"income", "visits", "age"}),
        (bytes(xgboost_model("binary:logistic").save_raw("ubj")), {"income", "visits", "age"}),
        (pickle.dumps(LinearRegression().fit([[1.0], [2.0]], [1, 2])), {"income"}),
    ):
        names = ("income",) if content[:1] == b"\x80" else None
        model = read_model_file(
            written(tmp_path, content), model_id="m", role=Role.PARTICIPANT, feature_names=names
        )
        assert inputs <= set(model.inputs)
        assert (model.model_id, model.role) == ("m", Role.PARTICIPANT)
        with pytest.raises(ModelFileError, match="model: it does not say its model id"):
            read_model_file(tmp_path / "model")


def test_our_own_file_says_whose_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, model_file(trained("logistic", "one-hot")["partner"]))
    model = read_model_file(path)
    assert (model.model_id, model.role) == ("job-1", Role.PARTICIPANT)
    assert read_model_file(path, model_id="spring").model_id == "spring"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no model file that is known here"),
        (b"PK\x03\x04", "no model file that is known here"),
        (gzip.compress(b"x", mtime=0), "without compression"),
        (json.dumps({"any": "thing"}).encode(), "not a model file of XGBoost"),
        (b'{"variables": []}', "not a model file of our training"),
        (b"\x80\x04N.", "no estimator"),
    ],
)
def test_other_files_are_refused_with_the_remedy(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with pytest.raises(ModelFileError, match=reason):
        read_model_file(written(tmp_path, content), model_id="m")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere.json cannot be read: No such file"):
        read_model_file(tmp_path / "nowhere.json", model_id="m")
