"""Pictures of road signs, drawn by code: the folder of images that lesson 1 fine-tunes on as on one's own."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter

SIGNS = ("give-way", "no-entry", "one-way", "priority")
RED, BLUE, YELLOW, WHITE = (190, 30, 45), (30, 80, 160), (240, 190, 40), (240, 240, 240)


def draw_sign(name: str, rng: np.random.Generator, size: int = 64) -> PIL.Image.Image:
    """Draw a road sign before a blurred background: smaller or larger, turned a little, out of focus, in poor light.

    Args:
        name: one of `SIGNS`.
        rng: of what differs from picture to picture.
        size: width and height in pixels.
    """
    sign = PIL.Image.new("RGBA", (200, 200))
    pen = PIL.ImageDraw.Draw(sign)
    if name == "give-way":
        pen.polygon([(5, 20), (195, 20), (100, 190)], fill=RED)
        pen.polygon([(45, 44), (155, 44), (100, 142)], fill=WHITE)
    elif name == "no-entry":
        pen.ellipse((5, 5, 195, 195), fill=RED)
        pen.rectangle((35, 82, 165, 118), fill=WHITE)
    elif name == "one-way":
        pen.rectangle((5, 5, 195, 195), fill=BLUE)
        pen.rectangle((88, 80, 112, 175), fill=WHITE)
        pen.polygon([(55, 85), (145, 85), (100, 25)], fill=WHITE)
    else:
        pen.polygon([(100, 2), (198, 100), (100, 198), (2, 100)], fill=WHITE)
        pen.polygon([(100, 28), (172, 100), (100, 172), (28, 100)], fill=YELLOW)
    width = int(size * rng.uniform(0.4, 0.8))
    sign = sign.rotate(rng.uniform(-20, 20), resample=PIL.Image.Resampling.BICUBIC).resize((width, width))
    colours = rng.integers(40, 220, (4, 4, 3), dtype=np.uint8)
    scene = PIL.Image.fromarray(colours).resize((size, size), PIL.Image.Resampling.BICUBIC)
    left, top = (int(place) for place in rng.integers(0, size - width + 1, 2))
    scene.paste(sign, (left, top), sign)
    scene = scene.filter(PIL.ImageFilter.GaussianBlur(rng.uniform(0, 1.5)))
    light = np.asarray(scene) * rng.uniform(0.4, 1.1) + rng.normal(0, 12, (size, size, 3))
    return PIL.Image.fromarray(light.clip(0, 255).astype(np.uint8))


def write_signs(folder: str | PathLike[str], count: int = 20, seed: int = 0) -> Path:
    """Write a folder of road signs, with a folder for each class, and return it.

    Args:
        folder: to write into; files of the same names are replaced.
        count: how many pictures of each class.
        seed: the same seed draws the same pictures.
    """
    folder, rng = Path(folder), np.random.default_rng(seed)
    for name in SIGNS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            draw_sign(name, rng).save(folder / name / f"{number:02d}.jpg", quality=90)
    return folder
