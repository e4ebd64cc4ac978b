"""The serving benchmark: our runner beside bare Starlette, LitServe, BentoML and the original servers, in one run."""
