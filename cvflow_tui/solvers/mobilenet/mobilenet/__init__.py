"""MobileNetV2: what a picture shows, and numbers that tell pictures apart."""
