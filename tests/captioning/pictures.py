"""A few pictures with captions, made for tests."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

COLORS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "yellow": (230, 220, 20)}


def picture(color: str, height: int = 60, width: int = 80) -> np.ndarray:
    """A colored box on white, uint8 (H, W, 3) RGB."""
    image = np.full((height, width, 3), 255, np.uint8)
    image[height // 4 : -height // 4, width // 4 : -width // 4] = COLORS[color]
    return image


def write_pictures(folder: Path, copies: int = 1) -> tuple[Path, Path]:
    """Writes PNG files of every color and a table with two captions of each; gives the folder and the table."""
    images, table = folder / "images", folder / "captions.txt"
    images.mkdir(parents=True)
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "caption"])
        for copy in range(copies):
            for color in COLORS:
                name = f"{color}-{copy}.png"
                cv2.imwrite(str(images / name), picture(color)[..., ::-1])
                rows.writerow([name, f"A {color} box, on white paper ."])
                rows.writerow([name, f"There is a {color} box on white paper"])
    return images, table
