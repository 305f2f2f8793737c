"""Draws the sample's pedestrians: what a person looks like follows from their labels."""

import io
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from PIL import Image, ImageDraw

SIZE = (48, 120)
_SCALE = 4  # drawn larger and shrunk, for smooth edges

PALETTE = {
    "Black": (28, 28, 32),
    "Blue": (52, 88, 190),
    "Brown": (116, 76, 44),
    "Green": (54, 140, 76),
    "Grey": (132, 134, 138),
    "Orange": (226, 126, 40),
    "Pink": (232, 150, 180),
    "Purple": (120, 64, 150),
    "Red": (196, 44, 46),
    "White": (236, 236, 232),
    "Yellow": (226, 200, 72),
}
_SKIN = [(240, 204, 176), (216, 172, 138), (164, 116, 84), (108, 74, 54)]
_CLOTHES = ["Black", "Blue", "Brown", "Green", "Grey", "Orange", "Purple", "Red", "White", "Yellow"]


@dataclass(frozen=True)
class Person:
    """What there is to see of a drawn person; every field but `skin` and `scene` is labelled."""

    gender: str
    age: str
    hair: str
    hair_colour: str
    sleeve: str
    formal: bool
    upper: str
    upper_colour: str
    lower: str
    lower_colour: str
    shoes: str
    shoe_colour: str
    hat: bool
    sunglasses: bool
    carrying: str
    skin: int
    scene: int

    @classmethod
    def random(cls, rng: np.random.Generator) -> Self:
        """Draw a person from plausible frequencies."""
        gender = _pick(rng, ["Male", "Female"])
        age = _pick(rng, ["Less15", "Less30", "Less45", "Larger60"], [0.1, 0.45, 0.3, 0.15])
        male = gender == "Male"
        formal = age in ("Less45", "Larger60") and rng.random() < 0.35  # noqa: PLR2004
        lower = "Trousers"
        if not formal:
            kinds = ["Trousers", "Shorts", "ShortSkirt"]
            lower = _pick(rng, kinds, [0.7, 0.3, 0.0] if male else [0.5, 0.15, 0.35])
        hair = _pick(rng, ["Short", "Long", "Bald"], [0.8, 0.08, 0.12] if male else [0.2, 0.8, 0])
        greys = ["Grey", "White"]
        return cls(
            gender=gender,
            age=age,
            hair=hair,
            hair_colour=_pick(
                rng, greys if age == "Larger60" else ["Black", "Brown", "Yellow", "Red"]
            ),
            sleeve="Long" if formal else _pick(rng, ["Long", "Short", "No"], [0.5, 0.35, 0.15]),
            formal=formal,
            upper="Suit" if formal else _pick(rng, ["Tshirt", "Jacket", "Sweater"]),
            upper_colour=_pick(rng, ["Black", "Grey", "Blue"]) if formal else _pick(rng, _CLOTHES),
            lower=lower,
            lower_colour=_pick(rng, ["Black", "Grey"])
            if formal
            else _pick(rng, ["Black", "Blue", "Brown", "Grey", "White", "Red"]),
            shoes="LeatherShoes" if formal else _pick(rng, ["Shoes", "Sneakers"]),
            shoe_colour="Black" if formal else _pick(rng, ["Black", "White", "Brown", "Red"]),
            hat=rng.random() < 0.15,  # noqa: PLR2004
            sunglasses=rng.random() < 0.15,  # noqa: PLR2004
            carrying=_pick(
                rng, ["Nothing", "Backpack", "MessengerBag", "PlasticBags"], [0.4, 0.25, 0.2, 0.15]
            ),
            skin=int(rng.integers(len(_SKIN))),
            scene=int(rng.integers(2**31)),
        )

    def look_alike(self) -> Self:
        """Return another person in the same clothes at the same place."""
        bag = {"Nothing": "Backpack", "Backpack": "Nothing"}.get(self.carrying, "Backpack")
        hair = "Short" if self.hair == "Long" else "Long"
        return replace(self, hair=hair, carrying=bag, skin=(self.skin + 2) % len(_SKIN))

    def labels(self) -> list[str]:
        """Return the PETA labels that the drawing shows."""
        style = "Formal" if self.formal else "Casual"
        worn = [
            f"upperBody{self.upper_colour}",
            f"lowerBody{self.lower_colour}",
            *([] if self.hair == "Bald" else [f"hair{self.hair_colour}"]),
            f"footwear{self.shoe_colour}",
            f"lowerBody{style}",
            f"lowerBody{self.lower}",
            f"personal{self.age}",
            f"personal{self.gender}",
            f"upperBody{style}",
            f"upperBody{self.sleeve}Sleeve",
            f"upperBody{self.upper}",
            f"hair{self.hair}",
            f"footwear{self.shoes}",
            f"carrying{self.carrying}",
        ]
        extras = [("accessoryHat", self.hat), ("accessorySunglasses", self.sunglasses)]
        carried = [label for label, there in extras if there]
        return [*worn, *(carried or ["accessoryNothing"])]


def draw(person: Person) -> Image.Image:
    """Draw a person before their scene, RGB, `SIZE` pixels."""
    width, height = SIZE[0] * _SCALE, SIZE[1] * _SCALE
    image = scene(person.scene, width, height)
    pen = _Pen(ImageDraw.Draw(image), width / 2, height, _stature(person))
    if person.carrying == "Backpack":
        pen.box((-0.19, 0.22, 0.19, 0.50), _shade(PALETTE["Green"], person.scene), round_=0.06)
    _draw_legs(pen, person)
    _draw_body(pen, person)
    _draw_head(pen, person)
    _draw_bag(pen, person)
    return image.resize(SIZE, Image.Resampling.LANCZOS)


def near_copy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the image as the next frame would show it: shifted, scaled, lit, JPEG-compressed."""
    width, height = image.size
    zoom = rng.uniform(0.95, 1.0)
    left = rng.uniform(0, width * (1 - zoom))
    top = rng.uniform(0, height * (1 - zoom))
    box = (left, top, left + width * zoom, top + height * zoom)
    copy = image.resize(image.size, Image.Resampling.BICUBIC, box=box)
    light = rng.uniform(0.92, 1.08)
    copy = copy.point([min(255, round(value * light)) for value in range(256)] * 3)
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=int(rng.integers(80, 95)))
    return Image.open(buffer).convert("RGB")


class _Pen:
    """Draws in units of a person's height, from the middle of the head's top downwards."""

    def __init__(
        self, canvas: ImageDraw.ImageDraw, middle: float, height: float, stature: float
    ) -> None:
        self.canvas, self.middle = canvas, middle
        self.unit = height * 0.9 * stature
        self.top = height * 0.96 - self.unit

    def _place(self, box: tuple[float, float, float, float]) -> list[float]:
        left, top, right, bottom = box
        return [
            self.middle + left * self.unit,
            self.top + top * self.unit,
            self.middle + right * self.unit,
            self.top + bottom * self.unit,
        ]

    def box(self, box: tuple[float, float, float, float], fill: Any, round_: float = 0.01) -> None:
        self.canvas.rounded_rectangle(self._place(box), radius=round_ * self.unit, fill=fill)

    def oval(self, box: tuple[float, float, float, float], fill: Any) -> None:
        self.canvas.ellipse(self._place(box), fill=fill)

    def shape(self, points: list[tuple[float, float]], fill: Any) -> None:
        self.canvas.polygon(
            [(self.middle + x * self.unit, self.top + y * self.unit) for x, y in points], fill=fill
        )


def _draw_legs(pen: _Pen, person: Person) -> None:
    skin, cloth = _SKIN[person.skin], PALETTE[person.lower_colour]
    length = {"Trousers": 0.95, "Shorts": 0.68, "ShortSkirt": 0.5}[person.lower]
    for side in (-1, 1):
        left, right = sorted((side * 0.01, side * 0.095))
        pen.box((left, 0.5, right, 0.95), skin)
        pen.box((left, 0.48, right, length), cloth)
        toe = sorted((side * 0.005, side * 0.125))
        pen.box((toe[0], 0.94, toe[1], 1.0), PALETTE[person.shoe_colour], round_=0.02)
        if person.shoes == "Sneakers":
            pen.box((toe[0], 0.985, toe[1], 1.0), PALETTE["White"])
    if person.lower == "ShortSkirt":
        pen.shape([(-0.1, 0.47), (0.1, 0.47), (0.155, 0.66), (-0.155, 0.66)], cloth)


def _draw_body(pen: _Pen, person: Person) -> None:
    skin, cloth = _SKIN[person.skin], PALETTE[person.upper_colour]
    shoulder = 0.145 if person.gender == "Male" else 0.115
    waist = 0.115 if person.gender == "Male" else 0.08
    reach = {"Long": 0.47, "Short": 0.31, "No": 0.0}[person.sleeve]
    for side in (-1, 1):
        arm = sorted((side * (shoulder - 0.01), side * (shoulder + 0.05)))
        pen.box((arm[0], 0.19, arm[1], 0.51), skin, round_=0.025)
        if reach:
            pen.box((arm[0], 0.185, arm[1], reach), cloth, round_=0.025)
    pen.shape([(-shoulder, 0.18), (shoulder, 0.18), (waist, 0.5), (-waist, 0.5)], cloth)
    if person.upper == "Suit":
        pen.shape([(-0.045, 0.18), (0.045, 0.18), (0, 0.34)], PALETTE["White"])
        pen.shape([(-0.012, 0.19), (0.012, 0.19), (0, 0.33)], PALETTE["Red"])
    if person.upper == "Jacket":
        pen.box((-0.008, 0.18, 0.008, 0.5), _darker(cloth))
    if person.upper == "Sweater":
        pen.box((-waist, 0.47, waist, 0.5), _darker(cloth))


def _draw_head(pen: _Pen, person: Person) -> None:
    skin, hair = _SKIN[person.skin], PALETTE[person.hair_colour]
    if person.hair == "Long":
        pen.box((-0.085, 0.015, 0.085, 0.24), hair, round_=0.06)
    pen.box((-0.025, 0.12, 0.025, 0.19), skin)
    pen.oval((-0.065, 0.01, 0.065, 0.155), skin)
    if person.hair != "Bald":
        pen.shape([(-0.07, 0.07), (-0.05, 0.0), (0.05, 0.0), (0.07, 0.07), (0, 0.04)], hair)
    if person.gender == "Male" and person.hair == "Short":
        pen.box((-0.03, 0.125, 0.03, 0.15), hair, round_=0.015)
    if person.sunglasses:
        pen.box((-0.06, 0.066, 0.06, 0.09), PALETTE["Black"])
    if person.hat:
        pen.box((-0.1, 0.03, 0.1, 0.048), PALETTE["Red"])
        pen.box((-0.06, -0.025, 0.06, 0.04), PALETTE["Red"], round_=0.03)


def _draw_bag(pen: _Pen, person: Person) -> None:
    if person.carrying == "MessengerBag":
        pen.shape([(-0.12, 0.18), (-0.09, 0.18), (0.15, 0.46), (0.12, 0.47)], (70, 52, 36))
        pen.box((0.08, 0.42, 0.22, 0.55), (94, 70, 48), round_=0.02)
    if person.carrying == "PlasticBags":
        pen.box((-0.25, 0.5, -0.13, 0.68), (240, 240, 246), round_=0.03)
    if person.carrying == "Backpack":
        for side in (-1, 1):
            strap = sorted((side * 0.06, side * 0.085))
            pen.box((strap[0], 0.18, strap[1], 0.4), _shade(PALETTE["Green"], person.scene))


def scene(seed: int, width: int, height: int) -> Image.Image:
    """Draw a wall, a ground and some things, all from one seed."""
    rng = np.random.default_rng(seed)
    wall, ground = rng.integers(90, 220, 3), rng.integers(70, 190, 3)
    image = Image.new("RGB", (width, height), tuple(int(v) for v in wall))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 8))):
        x, y = rng.uniform(-0.2, 0.9) * width, rng.uniform(0, 0.7) * height
        w, h = rng.uniform(0.15, 0.6) * width, rng.uniform(0.05, 0.4) * height
        pen.rectangle([x, y, x + w, y + h], fill=tuple(int(v) for v in rng.integers(50, 235, 3)))
    horizon = rng.uniform(0.7, 0.85) * height
    pen.rectangle([0, horizon, width, height], fill=tuple(int(v) for v in ground))
    return image


def _stature(person: Person) -> float:
    return {"Less15": 0.72, "Larger60": 0.92}.get(person.age, 1.0)


def _darker(colour: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(int(value * 0.6) for value in colour)


def _shade(colour: tuple[int, int, int], seed: int) -> tuple[int, ...]:
    return tuple(int(value * (0.7 + 0.3 * (seed % 7) / 7)) for value in colour)


def _pick(rng: np.random.Generator, options: list[str], p: list[float] | None = None) -> str:
    return str(rng.choice(options, p=p))
