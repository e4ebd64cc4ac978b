"""Batch labelling: many pictures through one solver into one COCO file, resumable."""
