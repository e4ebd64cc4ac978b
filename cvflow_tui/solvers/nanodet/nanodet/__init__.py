"""NanoDet-m 416 for cvflow: `solver.py` serves it, `training.py` teaches it."""
