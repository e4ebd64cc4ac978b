"""Pictures as files: finding them, and what can be known of one without decoding it. Open to both modules and to commands."""
