"""IAE: projects, pictures, acts and suggestions."""
