"""How a party's gradient is computed on this machine, as its cost model chooses: for the log."""

from collections.abc import Sequence
from dataclasses import dataclass

from paillier.comb import best_window
from paillier.encryption import TABLE_MEMORY_LIMIT
from paillier.gradient import variable_groups
from paillier.kernels import kernel_name
from paillier.keys import PublicKey


@dataclass(frozen=True)
class GradientPlan:
    """Every pass over the ciphertexts serves a group of variables; one table serves all values.

    `window` is how many bits of an exponent one entry of the encryption's table stands for; 0 is
    no table.
    """

    kernel: str
    passes: int
    variables_a_pass: int
    window: int


def plan_gradient(
    bins: Sequence[int], ciphertexts: int, expected_values: int, public_key: PublicKey
) -> GradientPlan:
    """The plan for variables with these bins; `expected_values` as an Encryptor takes them."""
    groups = variable_groups(bins, ciphertexts, public_key)
    return GradientPlan(
        kernel=kernel_name(),
        passes=len(groups),
        variables_a_pass=max(map(len, groups)),
        window=best_window(expected_values, public_key, TABLE_MEMORY_LIMIT),
    )
