from __future__ import annotations

import gzip

from ocr_models.data.mnist.idx import read_idx


def test_idx_file_is_read_as_its_bytes_say(tmp_path):
    # Type 8 (unsigned byte), two axes of 2 and 3 elements, then the elements.
    data = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 11, 12, 13, 14, 255])
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(data))
    for name in ("plain", "packed.gz"):
        assert read_idx(tmp_path / name, 2).tolist() == [[10, 11, 12], [13, 14, 255]]
