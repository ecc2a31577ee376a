"""How a party stands, told to a person."""

from party.doctor import Finding, State
from party.status import PartyStatus
from tallystick.terminal import say, show_table


def count_events(number: int) -> str:
    return f"{number} event{'' if number == 1 else 's'}"


STYLES = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


def show_finding(finding: Finding) -> None:
    say(f"{finding.state:<4}  {finding.check}: {finding.what}", STYLES[finding.state])
    if finding.remedy:
        say(f"      -> {finding.remedy}")


def show_state(state: PartyStatus) -> None:
    running = "running" if state.running else "not running"
    since = f" since {state.since}" if state.since else ""
    say(f"{state.name} ({state.role}), {running}{since}; {count_events(state.log_head)} in its log")
    told = "".join(f"; {one.name} told {one.versions}" for one in state.members)
    say(f"speaks {state.speaks} of the protocol{told}")
    if state.broker is not None:
        connected = "connected" if state.broker.connected else "not connected"
        blocked = f"; it takes nothing now: {state.broker.blocked}" if state.broker.blocked else ""
        say(f"broker: {connected}{blocked}")
    for pump in state.pumps:
        if pump.lag:
            say(f"{pump.name} has got to position {pump.position}: {pump.lag} still to do")
    for waits in state.undelivered:
        say(
            f"{count_events(waits.events)} for {waits.recipient}: {waits.state}, from position "
            f"{waits.first_position}{': ' + waits.reason if waits.reason else ''}"
        )
    for keys in state.changed_keys:
        trusted = (
            "trusted" if keys.accepted else "NOT trusted yet: `tally party trust` its new card"
        )
        say(f"{keys.party} has new keys since {keys.since}, {trusted} ({keys.fingerprint})")
    for error in state.last_errors:
        when = f" at {error.time}" if error.time else ""
        say(f"{error.where} {'failed' if error.is_over else 'fails'}{when}: {error.what}")
    for place in state.held_from:
        say(f"holds events of {place}: something before them has not come yet")
    for refused in state.refused:
        say(
            f"refused {refused.count} from {refused.sender}: {refused.reason}"
            f"{' (' + refused.type + ')' if refused.type else ''}, last {refused.last_time}"
        )
    if state.jobs:
        rows = [
            (job.job, job.state, str(job.round), str(job.version or ""), job.reason)
            for job in state.jobs
        ]
        show_table(("job", "state", "round", "protocol", "reason"), rows, right="round")
