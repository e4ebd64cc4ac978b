"""The screens: one place or dialog a file, its style sheet beside it."""
