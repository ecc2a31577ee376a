"""Checkpoints are C2SP signed notes: three lines and a signature that names its key."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events.card import PartyCard
from events.checkpoint import key_id, origin, read_checkpoint, sign_checkpoint, verifier_key
from events.errors import CheckpointError
from events.vocabulary import Role

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
ROOT = hashlib.sha256(b"root").digest()


def card_of(key: Ed25519PrivateKey, name: str = "bank") -> PartyCard:
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    return PartyCard(name=name, role=Role.LOCAL, signing_key=public, sealing_key="age1" + "q" * 58)


CARD = card_of(KEY)


def test_a_note_has_the_form_that_other_tools_read() -> None:
    note = sign_checkpoint(CARD, KEY, 42, ROOT).note(CARD)
    public = KEY.public_key().public_bytes_raw()
    name = f"tallystick/bank/{hashlib.sha256(public).hexdigest()[:16]}"
    first, size, root, empty, signed, end = note.split("\n")
    assert (first, size, root) == (name, "42", base64.b64encode(ROOT).decode())
    assert (empty, end) == ("", "")
    dash, told, signature = signed.split(" ")
    content = base64.b64decode(signature)
    assert (dash, told) == ("—", name)
    assert content[:4] == hashlib.sha256(name.encode() + b"\n\1" + public).digest()[:4]
    KEY.public_key().verify(content[4:], f"{first}\n42\n{root}\n".encode())
    assert verifier_key(CARD).split("+", 2) == [
        name,
        content[:4].hex(),
        base64.b64encode(b"\1" + public).decode(),
    ]


def test_what_was_signed_is_read_again() -> None:
    signed = sign_checkpoint(CARD, KEY, 7, ROOT)
    assert read_checkpoint(signed.note(CARD), CARD) == signed
    witnessed = signed.note(CARD) + "— witness.example/w AAAAAAAAAAAA\n"
    assert read_checkpoint(witnessed, CARD) == signed


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("\n7\n", "\n8\n", "not signed"),
        ("\n7\n", "\n07\n", "one form"),
        ("\n7\n", "\nseven\n", "no checkpoint"),
        ("tallystick/bank/", "tallystick/bonk/", "not of tallystick/bank/"),
        ("— ", "- ", "not signed"),
        ("\n\n", "\nextension\n\n", "one form"),
    ],
)
def test_an_altered_note_is_refused(before: str, after: str, message: str) -> None:
    note = sign_checkpoint(CARD, KEY, 7, ROOT).note(CARD)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(note.replace(before, after), CARD)


def test_a_note_of_another_key_with_the_same_name_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
    assert origin(card_of(other)) != origin(CARD)
    assert key_id(card_of(other)) != key_id(CARD)
    with pytest.raises(CheckpointError, match="not of"):
        read_checkpoint(sign_checkpoint(card_of(other), other, 7, ROOT).note(card_of(other)), CARD)
    forged = sign_checkpoint(CARD, other, 7, ROOT)
    assert not forged.is_signed_by(CARD)
    with pytest.raises(CheckpointError, match="not signed"):
        read_checkpoint(forged.note(CARD), CARD)
