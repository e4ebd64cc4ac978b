"""IAE: learning from annotations: rounds, metrics, prequential accuracy."""
