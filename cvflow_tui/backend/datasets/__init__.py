"""IAE: annotations as datasets: formats, one a file."""
