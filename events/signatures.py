"""Whether an Ed25519 signature holds (RFC 8032): most of the time that an audit takes."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.bindings import crypto_sign_BYTES, crypto_sign_open
from nacl.exceptions import BadSignatureError


def is_signed(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """OpenSSL's verdict, which libsodium reaches in half the time wherever it says yes.

    libsodium is the stricter of the two: it refuses points of small order as well. What it refuses
    is therefore asked of OpenSSL, so that every party and every auditor says the same.
    """
    if len(signature) == crypto_sign_BYTES:
        try:
            crypto_sign_open(signature + message, key.public_bytes_raw())
        except BadSignatureError:
            pass
        else:
            return True
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
