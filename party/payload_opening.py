"""A received payload: unsealed, compared with what its issuer committed to, and kept."""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from events.envelope import PayloadReference
from party.errors import Reason, RefusalError, SealingError
from party.escrow import check_recipients, first_bytes, keep_sealed
from party.opening import Party
from party.sealing import HashingReader, unseal, unseal_bytes
from party.spool import ReceivedChunks
from party.transport import SealedPayload
from party.turns import takes_long
from store.errors import CommitmentError
from store.payloads import SALT_BYTES
from store.small_payloads import LARGEST_SMALL

LARGEST_SEAL = 16 * 1024  # what sealing to many readers adds

Kept = list[tuple[str, bytes]]


class PayloadOpener:
    """Opens the payloads that came to one party. Raises RefusalError and StoreError."""

    def __init__(self, party: Party, chunks: ReceivedChunks) -> None:
        self._party, self._chunks = party, chunks

    def open(
        self,
        sender: str,
        reference: PayloadReference,
        sealed: SealedPayload,
        came: bytes | None,
        escrows: int = 0,
    ) -> Kept:
        """Put it into the payload store; `came` is what travelled behind the envelope.

        Gives what the transaction of the envelope has to keep: small ones, by commitment. With
        escrows it has to be for them as well, and is kept under seal, too.
        """
        pieces = self._chunks.pieces(sender, sealed) if came is None else [came]
        if not escrows:
            return self._open(sender, reference, sealed, pieces)
        check_recipients(first_bytes(pieces), len(reference.readers) + escrows, reference.name)
        kept = self._open(sender, reference, sealed, pieces)
        keep_sealed(self._party.folder.sealed, reference.commitment, pieces)
        return kept

    def _open(
        self,
        sender: str,
        reference: PayloadReference,
        sealed: SealedPayload,
        pieces: Sequence[Path | bytes],
    ) -> Kept:
        with closing(HashingReader(pieces)) as reader:
            try:
                if SALT_BYTES + reference.size <= LARGEST_SMALL:
                    return self._small(reference, reader)
                self._large(reference, reader)
            except SealingError:
                if reader.digest() == sealed.digest:
                    raise RefusalError(Reason.NOT_SEALED_TO_US, reference.name) from None
                self._chunks.discard(sender, sealed.digest)
                raise RefusalError(Reason.OTHER_SEALED_BYTES, reference.name) from None
        return []

    def _small(self, reference: PayloadReference, reader: HashingReader) -> Kept:
        """In memory: most of the time of a small payload is that of files."""
        content = reader.read_all(LARGEST_SMALL + LARGEST_SEAL)
        if len(content) > LARGEST_SMALL + LARGEST_SEAL:
            raise RefusalError(Reason.OTHER_CONTENT, reference.name)
        salted = unseal_bytes(content, self._party.identity.opens_with)
        right = hashlib.sha256(salted).hexdigest() == reference.commitment
        if not right or len(salted) != SALT_BYTES + reference.size:
            raise RefusalError(Reason.OTHER_CONTENT, reference.name)
        self._party.payloads.hold(salted)
        return [(reference.commitment, salted)]

    def _large(self, reference: PayloadReference, reader: HashingReader) -> None:
        if self._party.payloads.has(reference.commitment):
            return
        takes_long()
        opened = self._chunks.opened_file(reference.commitment)
        try:
            unseal(reader, opened, self._party.identity.opens_with)
            if opened.stat().st_size != SALT_BYTES + reference.size:
                raise RefusalError(Reason.OTHER_CONTENT, reference.name)
            self._party.payloads.adopt(opened, reference.commitment)
        except CommitmentError:
            raise RefusalError(Reason.OTHER_CONTENT, reference.name) from None
        finally:
            opened.unlink(missing_ok=True)
