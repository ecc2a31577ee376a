"""What the two ways to align customers do and do not protect, for people (requirement A2)."""

from collections.abc import Mapping

from events.terms import Alignment

PROTECTION: Mapping[Alignment, str] = {
    "hash": "nobody outside learns a customer id; the bank and the partners, who share the key, "
    "could find each other's customers by trying all numbers",
    "mart": "the mart matches keyed hashes without their key, and delivers numbers without names; "
    "the bank learns which of its customers the mart has",
    "psi": "the bank learns which of its customers a partner has, a partner which of its own are "
    "common to all, nobody any other customer; sizes are known to all",
}
