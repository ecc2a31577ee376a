"""How long a job will take: what a round does, times what each step costs on one machine.

Counted: arithmetic on ciphertexts, their bytes, sealing and storing, and the messages' way from
log to log. Not counted: the network and arithmetic in the clear.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import prod

from learning.layout import Coding, largest_value
from learning.residuals import Residual, slot_bits
from paillier.ciphertexts import ciphertext_bytes
from paillier.comb import best_window, comb_costs
from paillier.encryption import TABLE_MEMORY_LIMIT
from paillier.gradient import COMPILED_CELL_COST
from paillier.joint_buckets import CELL_COST, group_variables
from paillier.kernels import COMPILED
from paillier.keys import PublicKey
from paillier.packing import slots_per_ciphertext
from paillier.packing_choice import GradientShape, RoundShape, choose_packing
from paillier.sample_packing import SamplePacking

ARBITER = "arbiter"
SAID_BY_DATA_PARTY = 3  # a round: scores or residual, gradient, flag
MESSAGES_IN_TURN = 6  # a round: scores, residual, gradient, result, flag, completed


@dataclass(frozen=True)
class Cost:
    """Seconds: `cpu` of all cores together, `wall` by the clock with all cores at work."""

    cpu: float = 0.0
    wall: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.cpu + other.cpu, self.wall + other.wall)

    def __mul__(self, times: float) -> "Cost":
        return Cost(self.cpu * times, self.wall * times)


@dataclass(frozen=True)
class UnitCosts:
    """What one unit of each step costs under one key; `tallystick.measuring` finds out."""

    table_entry: Cost  # one power of hs in the encryptor's table
    table_product: Cost  # one value times one entry of the table
    entering: Cost  # one ciphertext brought into the form that products take
    bucket_product: Cost  # one ciphertext multiplied into its joint cell
    residual: Cost  # one customer's weighted sum of scores, without encryption
    vector_product: Cost  # one customer's ciphertext times another participant's
    packing_square: Cost  # one bit of one packed column
    decryption: Cost  # one ciphertext
    writing: Cost  # one ciphertext to bytes
    reading: Cost  # one ciphertext from bytes, checked
    sending: Cost  # one byte stored and sealed
    receiving: Cost  # one byte unsealed and stored
    message: Cost  # one event in one other party's log, with what pumps do about it

    def items(self) -> dict[str, Cost]:
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True)
class Machine:
    """Where the unit costs come from: the kernel in use, cores, and a key of the wanted length."""

    kernel: str
    cores: int
    public_key: PublicKey
    costs: UnitCosts


@dataclass(frozen=True)
class JobShape:
    """All that decides how much work a job is; `bins` of every variable by data party.

    The local party is the first of them.
    """

    rows: int
    bins: Mapping[str, Sequence[int]]
    residual: Residual
    maximum_rounds: int
    coding: Coding = "one-hot"
    rows_per_ciphertext: int | None = None

    @property
    def participants(self) -> int:
        return len(self.bins) - 1

    @property
    def degree(self) -> int:
        """How many ciphertexts a customer a participant sends: scores, and perhaps squares."""
        return 2 if self.residual is Residual.SMOOTHED else 1


@dataclass(frozen=True)
class JobEstimate:
    """One round by party, and the beginning of a data party (its table) once a job.

    `apart` is a round's seconds by the clock with a machine like this one at each party,
    `together` with all parties on this one.
    """

    parties: Mapping[str, Cost]
    beginning: Cost
    apart: float
    together: float
    maximum_rounds: int

    @property
    def total_apart(self) -> float:
        """At most, with all rounds that are allowed."""
        return self.beginning.wall + self.maximum_rounds * self.apart

    @property
    def total_together(self) -> float:
        data_parties = len(self.parties) - 1
        return data_parties * self.beginning.wall + self.maximum_rounds * self.together


def estimate(shape: JobShape, machine: Machine) -> JobEstimate:
    local, *participants = shape.bins
    scores, residual = _scores(shape, machine), _residual(shape, machine)
    gradients = {name: gradient_cost(shape, bins, machine) for name, bins in shape.bins.items()}
    columns = [_values(shape, bins) for bins in shape.bins.values()]
    decryption = sum((_decryption(shape, count, machine) for count in columns), Cost())
    others = shape.participants + 1
    message = machine.costs.message
    said = message * (SAID_BY_DATA_PARTY * others)
    parties = {local: residual + gradients[local] + said}
    parties |= {name: scores + gradients[name] + said for name in participants}
    parties[ARBITER] = decryption + message * ((len(columns) + 1) * others)
    slowest_gradient = max(cost.wall for cost in gradients.values())
    values = _ciphertexts(shape, machine) * shape.degree * shape.maximum_rounds
    window = _window(values, machine)
    return JobEstimate(
        parties=parties,
        beginning=machine.costs.table_entry * _table_entries(window, machine.public_key),
        apart=scores.wall
        + residual.wall
        + slowest_gradient
        + decryption.wall
        + message.wall * MESSAGES_IN_TURN,
        together=sum(cost.wall for cost in parties.values()),
        maximum_rounds=shape.maximum_rounds,
    )


def gradient_cost(shape: JobShape, bins: Sequence[int], machine: Machine) -> Cost:
    """One data party's encrypted gradient: buckets, sums joined or packed, masks; read and sent."""
    costs, ciphertexts = machine.costs, _ciphertexts(shape, machine)
    packing, values = packing_of(shape, machine.public_key.bits), _values(shape, bins)
    passes = packing.rows_per_ciphertext if packing else 1
    squarings = packing.wanted_bit if packing else _slot_bits(shape)
    opened = _opened(shape, values, machine)
    return (
        _receive(ciphertexts, machine)
        + costs.entering * ciphertexts
        + costs.bucket_product * (passes * bucket_products(ciphertexts, bins, machine.kernel))
        + costs.packing_square * (values * squarings)
        + _encryption(opened, shape, machine)
        + _send(opened, machine)
    )


def packing_of(shape: JobShape, key_bits: int) -> SamplePacking | None:
    """How customers share ciphertexts, by the rule of the protocol."""
    if shape.residual is Residual.SMOOTHED:
        return None
    gradients = tuple(
        GradientShape.of(len(bins), sum(bins), _values(shape, bins)) for bins in shape.bins.values()
    )
    return choose_packing(
        RoundShape(shape.rows, key_bits, _slot_bits(shape), gradients), shape.rows_per_ciphertext
    )


def bucket_products(rows: int, bins: Sequence[int], kernel: str) -> float:
    """How many products the bins of all variables take, as their groups are chosen."""
    groups = groups_of(rows, bins, kernel)
    return sum(rows + _cell_cost(kernel) * prod(bins[one] for one in group) for group in groups)


def groups_of(rows: int, bins: Sequence[int], kernel: str) -> list[list[int]]:
    """Which variables share a pass over the ciphertexts."""
    return group_variables(bins, rows, _cell_cost(kernel))


def table_products(window: int, public_key: PublicKey) -> float:
    """Products a value that encryption takes with a table of this window; 0 is no table."""
    if window == 0:
        return public_key.randomness_bits * comb_costs(public_key).squaring
    return -(-public_key.randomness_bits // window)


def _cell_cost(kernel: str) -> float:
    return COMPILED_CELL_COST if kernel == COMPILED else CELL_COST


def _scores(shape: JobShape, machine: Machine) -> Cost:
    values = shape.degree * _ciphertexts(shape, machine)
    return _encryption(values, shape, machine) + _send(values, machine)


def _residual(shape: JobShape, machine: Machine) -> Cost:
    ciphertexts = _ciphertexts(shape, machine)
    received = shape.participants * shape.degree * ciphertexts
    sums = (shape.participants - 1) * shape.degree * ciphertexts
    return (
        _receive(received, machine)
        + machine.costs.vector_product * sums
        + _encryption(ciphertexts, shape, machine)
        + machine.costs.residual * ciphertexts
        + _send(ciphertexts, machine)
    )


def _decryption(shape: JobShape, values: int, machine: Machine) -> Cost:
    opened = _opened(shape, values, machine)
    return _receive(opened, machine) + machine.costs.decryption * opened


def _encryption(values: int, shape: JobShape, machine: Machine) -> Cost:
    whole_job = _ciphertexts(shape, machine) * shape.degree * shape.maximum_rounds
    products = table_products(_window(whole_job, machine), machine.public_key)
    return machine.costs.table_product * (products * values)


def _send(ciphertexts: int, machine: Machine) -> Cost:
    one = machine.costs.writing + machine.costs.sending * _ciphertext_bytes(machine)
    return one * ciphertexts


def _receive(ciphertexts: int, machine: Machine) -> Cost:
    one = machine.costs.reading + machine.costs.receiving * _ciphertext_bytes(machine)
    return one * ciphertexts


def _window(values: int, machine: Machine) -> int:
    return best_window(values, machine.public_key, TABLE_MEMORY_LIMIT)


def _table_entries(window: int, public_key: PublicKey) -> int:
    return int(table_products(window, public_key)) << window if window else 0


def _values(shape: JobShape, bins: Sequence[int]) -> int:
    """How many sums a gradient has: with ordinal columns one a variable, and the total."""
    return len(bins) + 1 if shape.coding == "ordinal" else sum(bins)


def _ciphertexts(shape: JobShape, machine: Machine) -> int:
    """Of a vector with one number a customer."""
    packing = packing_of(shape, machine.public_key.bits)
    return packing.ciphertexts(shape.rows) if packing else shape.rows


def _opened(shape: JobShape, values: int, machine: Machine) -> int:
    """Ciphertexts that hold one party's sums: one each where customers share ciphertexts."""
    if packing_of(shape, machine.public_key.bits):
        return values
    return -(-values // slots_per_ciphertext(machine.public_key, _slot_bits(shape)))


def _slot_bits(shape: JobShape) -> int:
    largest = largest_value(shape.coding)
    return slot_bits(shape.residual, shape.participants, shape.rows, largest)


def _ciphertext_bytes(machine: Machine) -> int:
    return ciphertext_bytes(machine.public_key)
