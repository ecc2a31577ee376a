"""What each owner receives in a whole job: every bit accounted for, and its rank (leak budget).

The tests hold the arbiter's key, so they can decrypt the residuals and take the owner's masks away
as the owner does. What then remains of a result must be sums that the owner is entitled to (and,
where customers share ciphertexts, one carry a sum), and nothing else.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from events.catalogue import Fact
from events.preparation import DataPrepared
from events.rounds import EncryptedGradientPosted, EncryptedResidualPosted, MaskedResultDecrypted
from handlers.history import History
from handlers.keys import job_slot_bits
from handlers.leakage import leakage
from handlers.packing import job_packing
from handlers.prepared import own_prepared
from handlers.preparing import own_labels
from paillier import (
    DeterministicGenerator,
    PrivateKey,
    SamplePacking,
    draw_masks,
    draw_slot_masks,
    from_bytes,
    signed,
    slots_per_ciphertext,
)
from tests.handlers.conftest import federation_rows
from tests.simulation import SimulatedParty, Simulation, job_terms

ROUNDS = 2
Matrix = NDArray[np.int64]


@dataclass(frozen=True)
class Opened:
    """One owner's round: the residuals in the clear, and the functionals it may have of them."""

    owner: SimulatedParty
    history: History
    key: PrivateKey
    residual: Fact[EncryptedResidualPosted]

    @property
    def packing(self) -> SamplePacking | None:
        return job_packing(self.history)

    def residuals(self) -> list[int]:
        """The integers of all training rows, slot by slot where they share ciphertexts."""
        content = self.owner.own.read(self.residual.payload("residuals"))
        n = self.key.public.n
        plaintexts = self.key.decrypt_all(from_bytes(content, self.key.public))
        numbers = [signed(plaintext, n) for plaintext in plaintexts]
        if self.packing is None:
            return numbers
        k, width = self.packing.rows_per_ciphertext, self.packing.slot_bits
        rows = own_prepared(self.history, self.owner.own).training_codes.shape[1]
        return [digit for number in numbers for digit in digits(number, width, k)][:rows]

    def functionals(self) -> Matrix:
        """Shape (sums, rows): the columns of the owner, and where they are ordinal the total."""
        prepared = own_prepared(self.history, self.owner.own)
        columns = prepared.layout.values(prepared.training_codes, np.float64).T.astype(np.int64)
        if self.history.terms.coding == "one-hot":
            return columns
        return np.vstack([columns, np.ones(columns.shape[1], np.int64)])

    def mask_generator(self) -> DeterministicGenerator:
        number, codes = self.residual.event.round, self.history.one(DataPrepared).payload("codes")
        inputs = (self.residual.payload("residuals").commitment, codes.commitment)
        own, key_id = self.owner.own, self.key.public.key_id
        return own.generator(self.history.job, "mask", number, key_id, *inputs)

    def returned(self) -> list[int]:
        fact = self.history.one(
            MaskedResultDecrypted, round=self.residual.event.round, owner=self.owner.name
        )
        count, width = fact.payload("result").shape
        content = self.owner.own.read(fact.payload("result"))
        assert len(content) == count * width
        return [
            int.from_bytes(content[at : at + width], "big") for at in range(0, len(content), width)
        ]


def digits(number: int, width: int, count: int) -> list[int]:
    """Signed digits of so many bits, lowest first; nothing is left over."""
    found, half = [], 1 << (width - 1)
    for _ in range(count):
        found.append((number + half) % (2 * half) - half)
        number = (number - found[-1]) >> width
    assert number == 0
    return found


def opened_rounds(federation: Simulation, owner: str, key: PrivateKey) -> list[Opened]:
    party = federation[owner]
    assert party.history is not None
    posted = party.history.of(EncryptedResidualPosted)
    assert len(posted) == ROUNDS
    return [Opened(party, party.history, key, fact) for fact in posted]


def exact_sums(opened: Opened) -> list[int]:
    residuals = np.array(opened.residuals(), dtype=object)
    return list(opened.functionals().astype(object) @ residuals)


def check_nothing_but_the_sums(opened: Opened) -> None:
    """The returned integers, less the masks, are made of the sums to the last bit."""
    sums, returned, n = exact_sums(opened), opened.returned(), opened.key.public.n
    packing, generator = opened.packing, opened.mask_generator()
    if packing is None:
        masks = draw_masks(len(returned), n, generator)
        plain = [signed((one - mask) % n, n) for one, mask in zip(returned, masks, strict=True)]
        width, slots = slots_in(opened)
        for place, number in enumerate(plain):
            held = sums[place * slots : (place + 1) * slots]
            assert number == sum(value << (width * slot) for slot, value in enumerate(held))
        return
    masks = draw_slot_masks(len(returned), opened.key.public.bits, generator)
    for one, mask, value in zip(returned, masks, sums, strict=True):
        assert one < 1 << (packing.slot_bits + 1)
        slot = (one - (mask >> (packing.wanted_bit - 1))) % (1 << (packing.slot_bits + 1))
        carry = slot & 1
        assert slot == 2 * (value + (1 << (packing.sum_bits - 1))) + carry


def slots_in(opened: Opened) -> tuple[int, int]:
    """Bits of a sum where an owner's sums share ciphertexts, and how many do."""
    width = job_slot_bits(opened.history)
    return width, slots_per_ciphertext(opened.key.public, width)


JOBS: list[dict[str, Any]] = [
    {},
    {"coding": "ordinal"},
    {"profile": "patent", "rows_per_ciphertext": 1},
    {"profile": "patent", "rows_per_ciphertext": 5},
    {"profile": "patent", "rows_per_ciphertext": 3, "coding": "ordinal"},
    {"kind": "linear", "rows_per_ciphertext": 4},
]


@pytest.mark.parametrize("participants", [1, 2])
@pytest.mark.parametrize(
    "changes", JOBS, ids=lambda changes: "-".join(str(value) for value in changes.values())
)
def test_an_owner_receives_its_sums_and_no_more_and_the_budget_charges_their_rank(
    participants: int, changes: dict[str, Any], key: PrivateKey
) -> None:
    terms = job_terms(participants, maximum_rounds=ROUNDS, **changes)
    rows = federation_rows(participants, linear=terms.kind == "linear")
    federation = Simulation(terms, rows, key, seed=participants).run()
    for owner in terms.data_parties:
        received = 0
        for opened in opened_rounds(federation, owner, key):
            check_nothing_but_the_sums(opened)
            received += int(np.linalg.matrix_rank(opened.functionals()))
        charged = round(leakage(opened.history, owner) * len(opened.residuals()))
        # The budget does not know that a variable of categories tells the total a second time.
        layout = own_prepared(opened.history, opened.owner.own).layout
        twice = any(layout.ordinal) and not all(layout.ordinal)
        assert received == charged - ROUNDS * twice


def all_slots(opened: Opened) -> tuple[Matrix, list[int]]:
    """What the owner would have if the arbiter returned its plaintexts whole (the attack)."""
    packing, owner = opened.packing, opened.owner
    assert packing is not None
    fact = opened.history.one(
        EncryptedGradientPosted, source=owner.name, round=opened.residual.event.round
    )
    content = owner.own.read(fact.payload("gradient"))
    plaintexts = opened.key.decrypt_all(from_bytes(content, opened.key.public))
    masks = draw_slot_masks(len(plaintexts), opened.key.public.bits, opened.mask_generator())
    half, k = 1 << (packing.sum_bits - 1), packing.rows_per_ciphertext
    raised = sum(half << (packing.slot_bits * slot) for slot in range(packing.slots))
    numbers = [
        number
        for plaintext, mask in zip(plaintexts, masks, strict=True)
        for number in digits(plaintext - mask - raised, packing.slot_bits, packing.slots)
    ]
    functionals = []
    for wanted in opened.functionals():
        of_ciphertext = np.zeros((packing.ciphertexts(len(wanted)), k), np.int64)
        of_ciphertext.flat[: len(wanted)] = wanted
        for shift in range(1 - k, k):
            moved = np.zeros_like(of_ciphertext)
            moved[:, max(shift, 0) : k + min(shift, 0)] = of_ciphertext[
                :, max(-shift, 0) : k - max(shift, 0)
            ]
            functionals.append(moved.flat[: len(wanted)])
    return np.array(functionals), numbers


def auc_of_guesses(functionals: Matrix, sums: list[int], labels: NDArray[np.float64]) -> float:
    """How well the residuals of least size that explain the sums tell the labels apart."""
    guess, *_ = np.linalg.lstsq(functionals.astype(np.float64), np.array(sums, float), rcond=None)
    ones, others = -guess[labels > 0], -guess[labels < 0]
    return float(np.mean(ones[:, None] > others[None, :]))


def test_without_the_cut_an_owner_would_read_most_of_the_labels(key: PrivateKey) -> None:
    """Given five customers a ciphertext, then eight more sums stand beside each that is wanted."""
    terms = job_terms(profile="patent", rows_per_ciphertext=5, maximum_rounds=ROUNDS)
    federation = Simulation(terms, federation_rows(), key).run()
    opened, *_ = opened_rounds(federation, "partner", key)
    bank = federation["bank"]
    assert bank.history is not None
    labels = own_labels(bank.history, bank.own)
    cut = opened.functionals()
    whole, numbers = all_slots(opened)
    # the slots hold what the attack takes them for
    residuals = np.array(opened.residuals(), dtype=object)
    assert list(whole.astype(object) @ residuals) == numbers
    # and are far more than the budget charges
    charged = leakage(opened.history, "partner") * len(labels) / ROUNDS
    assert np.linalg.matrix_rank(cut) == round(charged)
    assert np.linalg.matrix_rank(whole) > 5 * charged
    with_the_cut = auc_of_guesses(cut, exact_sums(opened), labels)
    without = auc_of_guesses(whole, numbers, labels)
    assert without > with_the_cut + 0.1, (with_the_cut, without)
