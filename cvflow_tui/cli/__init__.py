"""The command line: one file a noun, nothing heavy imported before a command needs it."""
