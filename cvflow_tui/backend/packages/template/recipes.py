"""What a new package of each task does, and what its own test expects of it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

SCENE = "scene"
"""A grey ground with a blue rectangle and a red disc on it."""
BARCODE = "barcode"
"""An EAN-13 code."""
CODE = "4006381333931"
"""The digits of that code."""

_THINGS = {
    "contrast": ("0.15", "how much a place must differ from the picture's edge, above 0..1"),
    "smallest": ("0.002", "share of the picture below which a piece is left out"),
}
_THING_LIMITS = (
    "Single things on an even ground. In a photograph of a street or a room everything differs from the edge: what it finds means nothing."
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One task's package: texts for the card, and the test."""

    solver: str
    """The solver's name in the manifest."""
    tagline: str
    method: str
    answers: str
    limits: str
    parameters: dict[str, tuple[str, str]]
    """Name → default and what it is."""
    assertions: str
    labels: tuple[str, ...] = ()
    picture: str = SCENE
    blobs: bool = False
    """Whether the solver stands on `blobs.py`."""

    @property
    def parameter_table(self) -> str:
        """The parameters as Markdown."""
        rows = [f"| `{name}` | {default} | {what} |" for name, (default, what) in self.parameters.items()]
        return "\n".join(["| name | default | what |", "| --- | --- | --- |", *rows])

    @property
    def indented_assertions(self) -> str:
        """The assertions as the body of a method."""
        return indent(self.assertions, " " * 8)


RECIPES = {
    "object-detection": Recipe(
        solver="detect",
        tagline="Things that stand out from an even ground",
        method="cells whose colour is far from that of the picture's edge, joined into pieces",
        answers="`objects`: label `thing`, score (mean difference in colour, 0..1), box",
        limits=_THING_LIMITS,
        parameters=_THINGS,
        labels=("thing",),
        blobs=True,
        assertions="""\
self.assertEqual(len(result["objects"]), 2)
boxes = sorted(found["box"] for found in result["objects"])
for box, drawn in zip(boxes, ([40, 60, 140, 120], [190, 110, 270, 190]), strict=True):
    self.assertTrue(all(abs(value - true) < 6 for value, true in zip(box, drawn, strict=True)), box)""",
    ),
    "instance-segmentation": Recipe(
        solver="segment",
        tagline="Outlines of things that stand out from an even ground",
        method="cells whose colour is far from that of the picture's edge, joined into pieces, and a ring around each",
        answers="`objects`: label `thing`, score (mean difference in colour, 0..1), box, `polygons`",
        limits=_THING_LIMITS,
        parameters=_THINGS,
        labels=("thing",),
        blobs=True,
        assertions="""\
self.assertEqual(len(result["objects"]), 2)
areas = []
for found in result["objects"]:
    (ring,) = found["polygons"]
    x, y = ring[::2], ring[1::2]
    areas.append(abs(sum(x[place - 1] * y[place] - x[place] * y[place - 1] for place in range(len(x)))) / 2)
rectangle, disc = 100 * 60, 3.1416 * 40**2
for area, drawn in zip(sorted(areas), sorted([rectangle, disc]), strict=True):
    self.assertLess(abs(area / drawn - 1), 0.2, areas)""",
    ),
    "keypoint-detection": Recipe(
        solver="points",
        tagline="The outermost points of things that stand out from an even ground",
        method="cells whose colour is far from that of the picture's edge, joined into pieces; the extremes of each",
        answers="`objects`: label `thing`, score, box, `keypoints`: topmost, rightmost, lowest, leftmost point",
        limits=_THING_LIMITS,
        parameters=_THINGS,
        labels=("thing",),
        blobs=True,
        assertions="""\
self.assertEqual(len(result["objects"]), 2)
disc = max(result["objects"], key=lambda found: found["box"][0])
top, right, bottom, left = disc["keypoints"]
for value, drawn in ((top[1], 110), (right[0], 270), (bottom[1], 190), (left[0], 190)):
    self.assertLess(abs(value - drawn), 6, disc["keypoints"])""",
    ),
    "image-classification": Recipe(
        solver="classify",
        tagline="Which colours a picture has",
        method="each place of the picture goes to the nearest of ten named colours",
        answers="`classes`: colours with the share of the picture each has",
        limits="It names colours, not things. Ten colours are few, and what a screen calls brown an eye may call orange.",
        parameters={"top": ("3", "how many colours to name, 1..10")},
        labels=("black", "grey", "white", "red", "orange", "yellow", "green", "blue", "purple", "brown"),
        assertions="""\
classes = {found["label"]: found["score"] for found in result["classes"]}
self.assertEqual(set(classes), {"white", "blue", "red"})
self.assertGreater(classes["white"], classes["blue"])
self.assertGreater(classes["blue"], classes["red"])""",
    ),
    "image-captioning": Recipe(
        solver="describe",
        tagline="A sentence of what can be measured of a picture",
        method="shape, brightness and the commonest of ten named colours, put into words",
        answers="`caption`: one sentence",
        limits="It recognises nothing: a sunset and an orange are the same to it.",
        parameters={"colours": ("2", "how many colours to name, 1..10")},
        assertions="""self.assertEqual(result["caption"], "A wide picture, bright, mostly white and blue.")""",
    ),
    "embedding": Recipe(
        solver="embed",
        tagline="Numbers that tell pictures apart by their colours",
        method="a histogram of red, green and blue, of length 1",
        answers="`embedding`: `levels` ** 3 numbers; the dot product of two pictures' numbers says how alike their colours are",
        limits="Near copies, pictures of one series. It knows nothing of what is where: a picture and its mirror image are the same to it.",
        parameters={"levels": ("4", "steps of each colour, 2..16")},
        assertions="""\
numbers = result["embedding"]
self.assertEqual(len(numbers), 64)
self.assertAlmostEqual(sum(number * number for number in numbers), 1, 6)
self.assertEqual(max(range(64), key=numbers.__getitem__), 63)  # white""",
    ),
    "text-recognition": Recipe(
        solver="read",
        tagline="EAN-13 barcodes, the ones on everything in a shop",
        method="bars and gaps along lines across the picture, matched with the code's table and its check digit",
        answers="`objects`: label `barcode`, score (share of the lines that read it), box, `text` (13 digits)",
        limits="Upright, sharp, evenly lit codes. Nothing is straightened: a code that leans by some degrees or bends is not read.",
        parameters={"lines": ("80", "lines looked along, 1..2000")},
        labels=("barcode",),
        picture=BARCODE,
        assertions=f"""\
(found,) = result["objects"]
self.assertEqual(found["text"], "{CODE}")
self.assertGreater(found["score"], 0.9)""",
    ),
    "other": Recipe(
        solver="measure",
        tagline="How bright, contrasty and sharp a picture is",
        method="mean and deviation of the grey values, mean step between neighbours",
        answers="`brightness`, `contrast`, `sharpness`, each 0..1",
        limits="Sorting out what is too dark or blurred, within one series of pictures: across series the figures do not compare.",
        parameters={"longest": ("512", "longest side the picture is shrunk to first, 16..8192")},
        assertions="""\
self.assertEqual(set(result), {"brightness", "contrast", "sharpness"})
self.assertGreater(result["brightness"], 0.7)
self.assertLess(result["sharpness"], 0.05)""",
    ),
}
"""Task → what a new package of it does."""
