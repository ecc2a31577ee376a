"""An attacker with every right at the broker sends garbage all the while: the same model (D2)."""

import re
from pathlib import Path

from benchmarks.few_customers import few_customers
from benchmarks.flood import ATTACKER, Flood, garbage
from events.lifecycle import MessageRefused
from party.errors import Reason
from party.jobs import job_history
from party.opening import Party
from party.requesting import request_training
from tallystick.demo.federation import create_parties, demo_terms, running
from tests.brokers import PrivateBroker
from tests.end_to_end.finished_jobs import DATA_PARTIES, model, wait_for_models
from tests.party.federation import until

MESSAGES_A_SECOND = 150  # what three parties in one process on a busy machine can refuse
NAMES = (*DATA_PARTIES, "arbiter")
KINDS = {
    Reason.NOT_AN_ENVELOPE,
    Reason.FALSE_SIGNATURE,
    Reason.UNKNOWN_ISSUER,
    Reason.BAD_HEADS,
    Reason.BAD_CHUNK,
}


def reasons(party: Party) -> set[str]:
    return {one.reason for one in party.log.refusals()}


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
        wait_for_models(parties, ["quiet"])
        before = parties["bank"].log.job("quiet")
        made = garbage([one for one in before if not one.envelope.is_private], NAMES)
        urls = {ATTACKER: rabbitmq.url_of(ATTACKER), "": rabbitmq.amqp_url}
        with Flood(urls, NAMES, made, MESSAGES_A_SECOND) as flood:
            request_training(parties["bank"], "flooded", terms)
            wait_for_models(parties, ["flooded"])
            for party in parties.values():
                assert not job_history(party.log, "flooded").has(MessageRefused)
            until(lambda: all(reasons(party) >= KINDS for party in parties.values()), 60)
    with running(folders, None) as parties:
        for name in NAMES:
            counts = [one.count for one in parties[name].log.refusals()]
            assert 0 < sum(counts) <= flood.sent
    for name in DATA_PARTIES:
        assert model(folders[name], "flooded") == model(folders[name], "quiet")
