"""Bundled packages, each laid out as a stranger's would be, and the sdk that a worker finds on its path."""
