"""An attacker with every right at the broker sends garbage all the while: the same model (D2)."""

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.few_customers import few_customers
from benchmarks.flood import ATTACKER, Flood, garbage
from events.lifecycle import MessageRefused
from events.models import ModelSaved
from party.errors import Reason
from party.jobs import job_history
from party.opening import Party
from party.requesting import request_training
from tallystick.demo.federation import create_parties, demo_terms, running
from tests.brokers import PrivateBroker

MESSAGES_A_SECOND = 150  # what three parties in one process on a busy machine can refuse
FINISH_SECONDS = 240
DATA_PARTIES = ("bank", "partner")
NAMES = (*DATA_PARTIES, "arbiter")


def wait_for_models(parties: Mapping[str, Party], job: str) -> None:
    give_up = time.monotonic() + FINISH_SECONDS
    for name in DATA_PARTIES:
        while not job_history(parties[name].log, job).has_from_all(ModelSaved, DATA_PARTIES):
            assert time.monotonic() < give_up, f"{job} got stuck at {name}"
            time.sleep(0.1)


def model(folder: Path, job: str) -> dict[str, object]:
    text: dict[str, object] = json.loads((folder / "models" / f"{job}.json").read_text())
    assert text.pop("model_id") == job
    return text


def test_a_flood_of_garbage_stops_no_job_and_changes_no_model(
    rabbitmq: PrivateBroker, tmp_path: Path
) -> None:
    """Given forged, malformed, oversized, foreign and replayed messages in everybody's name from
    before the request to the end, then the model is the undisturbed one, and each kind is counted.
    """
    options = few_customers(tmp_path, 150)
    folders = create_parties(options)
    for path in folders.values():
        settings = path / "party.toml"
        others = re.sub(r"(?m)^broker = .*\n", "", settings.read_text())
        settings.write_text(f'broker = "{rabbitmq.amqp_url}"\n{others}')
    terms = demo_terms(options, folders)
    with running(folders, rabbitmq.amqp_url) as parties:
        request_training(parties["bank"], "quiet", terms)
        wait_for_models(parties, "quiet")
        before = parties["bank"].log.job("quiet")
        made = garbage([one for one in before if not one.envelope.is_private], NAMES)
        urls = {ATTACKER: rabbitmq.url_of(ATTACKER), "": rabbitmq.amqp_url}
        with Flood(urls, NAMES, made, MESSAGES_A_SECOND) as flood:
            request_training(parties["bank"], "flooded", terms)
            wait_for_models(parties, "flooded")
        for party in parties.values():
            assert not job_history(party.log, "flooded").has(MessageRefused)
    with running(folders, None) as parties:
        for name in NAMES:
            refused = {one.reason for one in parties[name].log.refusals()}
            assert refused >= {Reason.NOT_AN_ENVELOPE, Reason.FALSE_SIGNATURE}
            assert refused >= {Reason.UNKNOWN_ISSUER, Reason.BAD_HEADS, Reason.BAD_CHUNK}
            counts = [one.count for one in parties[name].log.refusals()]
            assert 0 < sum(counts) <= flood.sent
    for name in DATA_PARTIES:
        assert model(folders[name], "flooded") == model(folders[name], "quiet")
