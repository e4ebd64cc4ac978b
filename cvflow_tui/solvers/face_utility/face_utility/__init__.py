"""Faces with dlib: where they are, their landmarks, their encodings."""
