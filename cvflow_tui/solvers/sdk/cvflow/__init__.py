"""What the author of a package imports: `import cvflow`.

    class Cats(cvflow.Solver):
        def __init__(self):
            self.net = load(self.weights("cats.onnx"), threads=self.threads)

        def infer(self, image: cvflow.Image, threshold: float = 0.5):
            boxes = self.net(image.array())
            return self.result(image, objects=[cvflow.Detection("cat", score, box) for box, score in boxes])

Importing it needs the standard library only; pictures need Pillow 9.1 or newer, and numpy for `Image.array`, in the package's own
requirements.
"""

from cvflow.context import Context, configure, current
from cvflow.dataset import Dataset, Item, Target
from cvflow.errors import InputError
from cvflow.image import MAX_PIXELS, Image
from cvflow.results import Detection, result
from cvflow.solver import Report, Solver

__all__ = [
    "MAX_PIXELS",
    "Context",
    "Dataset",
    "Detection",
    "Image",
    "InputError",
    "Item",
    "Report",
    "Solver",
    "Target",
    "configure",
    "current",
    "result",
]
