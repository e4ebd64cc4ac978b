"""Widgets that know nothing of the daemon: tables, logs, lines at the top and the bottom."""
