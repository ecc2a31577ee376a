"""The doctor: each thing that is broken is named, with its remedy, and nothing else is blamed."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bus import Parcel, open_endpoint
from bus.memory import MemoryBroker
from bus.topology import queue_name
from events.envelope import format_time
from party.doctor import Finding, State, examine, worst
from party.doctor import folder as doctor_folder
from party.doctor.finding import explained
from party.errors import KeyFileError
from party.folder import PartyFolder
from party.opening import Party, open_party
from party.pulse import LINK, BrokerPulse, Pulse, PumpPulse, pulse_file
from party.running import RunningParty
from party.settling import settle_payloads
from store.tables import FORMAT
from tests.brokers import PrivateBroker
from tests.bus.buses import RabbitBus, eventually, settings_for_tests
from tests.party.federation import Node, request, toy_decide
from tests.proxies import free_port, http_proxy
from tests.tallystick.federations import tally


@pytest.fixture
def bank(parties: dict[str, Party], rabbitmq: PrivateBroker) -> Iterator[PartyFolder]:
    """A bank with an event in its log, whose broker is there; its queue is its own."""
    request(parties["bank"])
    parties["bank"].log.close()
    folder = parties["bank"].folder
    use_broker(folder, rabbitmq.amqp_url)
    bus = RabbitBus(rabbitmq.amqp_url)
    bus.bank, bus.partner = "bank", "partner"
    for name in ("bank", "partner"):
        bus.endpoint(name).close()
    yield folder
    bus.close()


def use_broker(folder: PartyFolder, url: str) -> None:
    text = folder.settings.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("broker =")]
    source = folder.path / "rows.csv"
    source.write_text("id,a,y\n1,2,0\n")
    folder.settings.write_text("\n".join([f"broker = {json.dumps(url)}", *lines]))
    if "\n[source]\n" not in folder.settings.read_text():
        folder.settings.write_text(folder.settings.read_text() + '\n[source]\nfile = "rows.csv"\n')


def unwell(folder: PartyFolder) -> dict[str, Finding]:
    """What is not well, by check."""
    return {one.check: one for one in examine(folder.path) if one.state is not State.OK}


def test_a_party_in_good_health_gets_no_remedies(bank: PartyFolder) -> None:
    findings = list(examine(bank.path))
    assert worst(findings) is State.OK
    assert {one.check for one in findings} == {
        "settings",
        "permissions",
        "keys",
        "cards",
        "database",
        "clock",
        "process",
        "payloads",
        "disk",
        "data",
        "broker",
        "TLS",
        "queue",
    }
    assert not any(one.remedy for one in findings)


def test_an_examination_changes_nothing(bank: PartyFolder) -> None:
    def state() -> dict[str, bytes]:
        kept = [bank.settings, *bank.keys.iterdir(), *bank.trusted.iterdir()]
        with closing(sqlite3.connect(bank.log)) as log:
            dump = "\n".join(log.iterdump()).encode()
        return {str(file): file.read_bytes() for file in kept} | {"log": dump}

    before = state()
    list(examine(bank.path))
    assert state() == before


def loosen(name: str) -> Callable[[PartyFolder], None]:
    return lambda bank: (bank.keys / name).chmod(0o644)


def forget_a_key(bank: PartyFolder) -> None:
    (bank.keys / "sealing.key").unlink()


def damage_a_card(bank: PartyFolder) -> None:
    (bank.trusted / "partner.json").write_text("{}")


def damage_the_database(bank: PartyFolder) -> None:
    pages = bytearray(bank.log.read_bytes())
    pages[4096 : 3 * 4096] = b"\xff" * (2 * 4096)
    bank.log.write_bytes(pages)
    for rest in ("-wal", "-shm"):
        bank.log.with_name(bank.log.name + rest).unlink(missing_ok=True)


def change(statement: str) -> Callable[[PartyFolder], None]:
    def change_log(bank: PartyFolder) -> None:
        with closing(sqlite3.connect(bank.log)) as log:
            log.executescript(statement)

    return change_log


def lose_payloads(bank: PartyFolder) -> None:
    with closing(open_party(bank.path)) as party:
        settle_payloads(party)
    for file in bank.payloads.glob("??/*"):
        file.unlink()


def lose_the_data(bank: PartyFolder) -> None:
    (bank.path / "rows.csv").unlink()


@pytest.mark.parametrize(
    ("break_it", "check", "message"),
    [
        (loosen("signing.key"), "permissions", "signing.key can be read"),
        (forget_a_key, "keys", "sealing.key"),
        (damage_a_card, "cards", "partner.json is not a party's card"),
        (damage_the_database, "database", "damaged|not a whole database|malformed"),
        (change(f"UPDATE log_head SET format = {FORMAT + 1}"), "database", "release"),
        (change("UPDATE log_head SET position = 7"), "database", "says it has 7 events"),
        (lose_payloads, "payloads", "1 of 1 payloads"),
        (lose_the_data, "data", "rows.csv is not there"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_broken_is_named_with_a_remedy(
    bank: PartyFolder, break_it: Callable[[PartyFolder], None], check: str, message: str
) -> None:
    break_it(bank)
    found = unwell(bank)
    assert check in found
    assert found[check].state is State.FAIL
    assert found[check].remedy
    assert re.search(message, found[check].what + str(found[check].remedy))
    assert "broker" not in found


@pytest.mark.parametrize("ours", [True, False])
def test_an_event_from_the_future_means_a_wrong_clock(
    parties: dict[str, Party], *, ours: bool
) -> None:
    later = format_time(datetime.now(UTC) + timedelta(hours=1))
    bank = parties["bank"]
    request(bank)
    with closing(sqlite3.connect(bank.folder.log)) as log:
        log.executescript(
            "DROP TRIGGER events_are_final_update;"
            f"UPDATE events SET time = '{later}', source = '{'bank' if ours else 'partner'}'"
        )
    found = unwell(bank.folder)["clock"]
    assert found.state is State.FAIL
    assert "after this machine's time" in found.what
    assert found.what.startswith("this party itself" if ours else "partner sent")


def test_little_space_is_worth_a_look_and_none_is_a_failure(
    bank: PartyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, state in (("LITTLE_SPACE", State.WARN), ("NO_SPACE", State.FAIL)):
        monkeypatch.setattr(doctor_folder, limit, 1 << 60)
        assert unwell(bank)["disk"].state is state
        assert "payloads prune" in str(unwell(bank)["disk"].remedy)


def test_a_broker_that_is_not_there_has_a_remedy_and_not_the_systems_words(
    bank: PartyFolder,
) -> None:
    expected = {
        f"amqp://bank@127.0.0.1:{free_port()}/tallystick": "start the broker, or correct host",
        "amqps://bank@broker.invalid/tallystick": "correct the host in the broker's address",
    }
    for url, remedy in expected.items():
        use_broker(bank, url)
        found = unwell(bank)["broker"]
        assert found.state is State.FAIL
        assert "no connection to" in found.what
        assert (found.remedy or "").startswith(remedy)
        assert "Errno" not in found.what + (found.remedy or "")


def test_a_proxy_on_the_way_is_shown_and_its_answer_explained(
    bank: PartyFolder, rabbitmq: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given credentials from the environment, then the broker is reached through it."""
    with http_proxy(rabbitmq.port, login="anna:secret") as proxy:
        place = f"127.0.0.1:{proxy.port}"
        text = f'proxy = "http://${{PROXY_LOGIN}}@{place}"\n' + bank.settings.read_text()
        bank.settings.write_text(text)
        monkeypatch.setenv("PROXY_LOGIN", "anna:secret")
        found = {one.check: one for one in examine(bank.path)}["broker"]
        assert found.state is State.OK
        assert f"through the proxy {place}" in found.what
        monkeypatch.setenv("PROXY_LOGIN", "anna:wrong")
        found = unwell(bank)["broker"]
        assert "(407)" in found.what
        assert "PROXY_PASSWORD" in (found.remedy or "")
        assert "wrong" not in found.what + (found.remedy or "")


def test_the_way_to_the_broker_is_tried(bank: PartyFolder, rabbitmq: PrivateBroker) -> None:
    wrong = {
        "amqp://bank:wrong@127.0.0.1:{}/tallystick": "refuses user 'bank'",
        "amqp://bank:wrong@127.0.0.1:1/tallystick": "no connection",
        "amqp://bank:wrong@broker.example/tallystick": "amqps://",
        "amqp://bank:${{TALLY_NOT_SET}}@127.0.0.1:{}/v": "TALLY_NOT_SET",
    }
    for url, message in wrong.items():
        use_broker(bank, url.format(rabbitmq.port))
        found = unwell(bank)["broker"]
        assert found.state is State.FAIL
        assert message in f"{found.what} {found.remedy}"


def test_certificates_that_end_soon_are_worth_a_look(
    bank: PartyFolder, rabbitmq: PrivateBroker
) -> None:
    """Given certificates for a day, then both sides' are named before they are over."""
    client = rabbitmq.authority.issue("bank")
    use_broker(bank, rabbitmq.tls_url_of("tallystick", rabbitmq.authority.file, client))
    findings = [one for one in examine(bank.path) if one.check == "TLS"]
    assert [one.state for one in findings] == [State.WARN, State.WARN]
    assert "bank.pem holds for another 0 days" in findings[0].what
    assert "the broker's certificate" in findings[1].what


def test_what_waits_in_the_queue_is_counted_and_a_missing_queue_named(
    bank: PartyFolder, rabbitmq: PrivateBroker
) -> None:
    partner = open_endpoint(settings_for_tests(rabbitmq.amqp_url), "partner")
    for _ in range(3):
        partner.send(Parcel("partner", "bank", "envelope", {}, b""), lambda _outcome: None)
    partner.close()

    def waiting() -> bool:
        return any(one.what.startswith("3 messages wait") for one in examine(bank.path))

    assert eventually(waiting)
    rabbitmq.control("delete_queue", queue_name("bank"), "-p", "tallystick")
    assert "does not exist" in unwell(bank)["queue"].what


def test_a_party_that_hangs_or_fails_is_told_from_one_that_works(
    parties: dict[str, Party],
) -> None:
    bank = parties["bank"]
    broker = MemoryBroker()
    with RunningParty(bank, broker.endpoint("bank"), toy_decide):
        assert "process" not in unwell(bank.folder)
        long_ago = format_time(datetime.now(UTC) - timedelta(minutes=5))
        pump = PumpPulse(
            name="publish",
            alive=True,
            failing=True,
            failures=3,
            last_failure="no space is left",
            last_failure_time=long_ago,
        )
        pulse = Pulse(
            process=LINK,
            pid=1,
            since=long_ago,
            written=long_ago,
            pumps=(pump,),
            broker=BrokerPulse(connected=True, last_error="it went"),
        )
        bank.folder.pulses.mkdir(exist_ok=True)
        pulse_file(bank.folder, LINK).write_text(pulse.model_dump_json())
        told = [one for one in examine(bank.folder.path) if one.check == "process"]
    failing = [one.what for one in told if one.state is State.FAIL]
    assert len(failing) == 2
    assert "no sign of life for 300 s" in failing[0].replace("301", "300")
    assert "publish: no space is left" in failing[1]
    assert any("it works again" in one.what for one in told if one.state is State.OK)


def test_refusals_and_what_was_given_up_are_shown(parties: dict[str, Party]) -> None:
    bank = Node(parties["bank"], MemoryBroker())
    request(bank.party)
    with bank.party.log.transaction() as transaction:
        transaction.fail_delivery(1, "partner", "no queue", 1)
        transaction.refuse("mallory", "issuer is not trusted")
    found = unwell(bank.party.folder)
    assert "1 events for partner" in found["delivery"].what
    assert "tally party retry" in str(found["delivery"].remedy)
    assert "1 messages of mallory refused" in found["refusals"].what


def test_the_command_prints_remedies_and_ends_with_1_when_something_fails(
    bank: PartyFolder,
) -> None:
    assert tally("party", "doctor", bank.path).code == 0
    forget_a_key(bank)
    done = tally("party", "doctor", bank.path)
    assert done.code == 1
    assert "fail  keys" in done.out
    assert "-> restore it from a backup" in done.out
    report = json.loads(tally("party", "doctor", bank.path, "--json").out)
    assert report["state"] == "fail"
    assert {one["state"] for one in report["findings"]} >= {"ok", "fail"}


def test_what_was_given_up_is_sent_again_on_request(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    request(bank)
    with bank.log.transaction() as transaction:
        transaction.fail_delivery(1, "partner", "no queue", 1)
    assert len(bank.log.parked()) == 1
    assert "1 event will be sent again" in tally("party", "retry", bank.folder.path).out
    assert bank.log.parked() == []


def test_no_folder_is_told_at_once(tmp_path: Path) -> None:
    (only,) = examine(tmp_path / "nowhere")
    assert only.state is State.FAIL
    assert only.check == "settings"


def test_an_error_is_taken_apart_into_what_and_remedy() -> None:
    found = explained("keys", KeyFileError("a is damaged: restore it"))
    assert (found.what, found.remedy) == ("a is damaged", "restore it")
