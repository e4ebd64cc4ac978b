"""CVPM's runtime component: what keeps solvers running."""
