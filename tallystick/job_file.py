"""JOB.toml: the terms of a training job, as a person writes them."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from events.terms import Alignment, Member, Optimiser, Profile, Terms
from events.vocabulary import Role
from tallystick.errors import JobFileError

# The default profile needs few rounds; the patent profile has the source's own numbers (T9).
OPTIMISERS: dict[Profile, Optimiser] = {
    "default": Optimiser(
        step=0.6, momentum=0.3, stop_threshold=1e-4, stop_rounds=2, maximum_rounds=12
    ),
    "patent": Optimiser(
        step=0.1, momentum=0.0, stop_threshold=0.005, stop_rounds=15, maximum_rounds=60
    ),
}

ALIGNMENTS: dict[Profile, Alignment] = {"default": "psi", "patent": "hash"}  # A1, A2

TEMPLATE = """\
# A training job: everything that its members agree on before any number moves.
# Start it at the bank:  tally train {file} --as DIR

local = "{local}"                # the bank: holds the labels, asks for the model
participants = [{participants}]  # institutions with other features of the same customers
arbiter = "{arbiter}"            # holds the only decryption key, sees masked sums only
auditors = []                    # receive every shared event, open no payload

kind = "logistic"                # or "linear"
profile = "default"              # or "patent": Taylor at 0, gradient descent, labels shared
intercept = "local"              # or "participant", "none"
alignment = "psi"                # private set intersection; "hash": the parties could find each
                                 # other's customers by trying all telephone numbers
# mart = "mart"                  # with alignment = "mart": it delivers the participant's features

coding = "one-hot"               # or "ordinal": one column a variable, its bin's number; for
                                 # thousands of variables, where a column a bin would be too many
inverse_penalty = 0.1            # C of the L2 penalty: smaller is stronger
folds = 5                        # customers are divided by int(id) mod folds, and ...
held_out_fold = 0                # ... this fold measures the model; nobody trains on it
smallest_bin = 20                # no trained column with fewer customers on either value
smallest_overlap = 100           # common customers below which the job is given up
leak_budget = 0.5                # equations a row that a party may learn about another's data
answer_within_minutes = 1440     # members that have not answered by then end the job
label_unit = 1.0                 # linear: one unit of the label, e.g. 1000.0; all members see it
key_bits = 2048                  # 3072 for more than 112 bits of security
# escrows = [{{name = "supervisor", sealing_key = "age1…"}}]  # who else opens all that is sealed in
                                 # this job: a line of `tally escrow new`, in every policy too
# rows_per_ciphertext = 17       # customers that share one, in the patent profile and in linear
                                 # regression; left out, as many as cost the least work

[optimiser]                      # leave out what the profile should choose
# step = 0.6                     # preconditioned step, or the learning rate of the patent profile
# momentum = 0.3
# stop_threshold = 1e-4          # predicted decrease (default) or change of the loss (patent) ...
# stop_rounds = 2                # ... that must hold this many rounds in a row
# maximum_rounds = 12
"""

_PARTIES = frozenset({"local", "participants", "arbiter", "auditors", "mart"})


def read_job_file(path: Path) -> Terms:
    """The terms in a JOB.toml. Raises JobFileError that names every wrong line."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        raise JobFileError(f"{path} does not exist: `tally job new {path}` writes one") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise JobFileError(f"{path} cannot be read: {error}") from None
    return _terms(path, content)


def job_template(path: Path, local: str, participants: list[str], arbiter: str) -> str:
    names = ", ".join(f'"{name}"' for name in participants)
    return TEMPLATE.format(file=path.name, local=local, participants=names, arbiter=arbiter)


def make_terms(
    members: tuple[Member, ...],
    profile: Profile = "default",
    optimiser: dict[str, Any] | None = None,
    **fields: Any,  # noqa: ANN401 - checked by the model
) -> Terms:
    """Terms with the profile's optimiser, changed where `optimiser` says so."""
    if profile not in OPTIMISERS:
        raise JobFileError(f"profile {profile!r} is unknown: use default or patent")
    fields.setdefault("alignment", ALIGNMENTS[profile])
    merged = OPTIMISERS[profile].model_dump() | (optimiser or {})
    return Terms.model_validate(
        {"members": members, "profile": profile, "optimiser": merged, **fields}, strict=False
    )


def _terms(path: Path, content: dict[str, Any]) -> Terms:
    try:
        members = tuple(_members(content))
        fields = {name: value for name, value in content.items() if name not in _PARTIES}
        return make_terms(members, **fields)
    except KeyError as error:
        raise JobFileError(f"{path} lacks {error.args[0]}") from None
    except ValidationError as error:
        problems = "; ".join(_problem(detail) for detail in error.errors())
        raise JobFileError(f"{path} is not a job: {problems}") from None


def _members(content: dict[str, Any]) -> list[Member]:
    named = (
        (Role.LOCAL, [content["local"]]),
        (Role.PARTICIPANT, content["participants"]),
        (Role.ARBITER, [content["arbiter"]]),
        (Role.AUDITOR, content.get("auditors", [])),
        (Role.MART, [content["mart"]] if "mart" in content else []),
    )
    return [Member(name=name, role=role) for role, names in named for name in names]


def _problem(detail: Any) -> str:  # noqa: ANN401 - pydantic's own dictionary
    place = ".".join(str(part) for part in detail["loc"])
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        return f"{place} is no setting of a job"
    return f"{place}: {message}" if place else message
