"""MobileNetV2: what a picture shows, and numbers that tell pictures apart."""

import os

# Before torch starts its threads: told to sleep while they wait for each other. Spinning takes the cores from the others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
