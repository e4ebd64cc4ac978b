"""The security checklist: one file a rule, named by its number."""
