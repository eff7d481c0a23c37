from __future__ import annotations

import hashlib
import io

from ocr_models.io.hashing import FileDigest, hash_file


def test_digest_size_and_head_of_a_file_of_several_chunks():
    data = bytes(range(256)) * 10_000  # 2.4 MiB
    assert hash_file(io.BytesIO(data), 300) == FileDigest(hashlib.sha256(data).hexdigest(), 2_560_000, data[:300])


def test_no_head_unless_requested_and_none_longer_than_the_file():
    assert hash_file(io.BytesIO(b"abc")).head == b""
    # NIST's test vector for SHA-256 of "abc".
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_file(io.BytesIO(b"abc"), 99) == FileDigest(digest, 3, b"abc")
