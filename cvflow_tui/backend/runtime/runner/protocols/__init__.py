"""The ways to ask that stand beside `POST /infer`, one a file."""
