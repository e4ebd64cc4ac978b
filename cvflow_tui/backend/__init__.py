"""Everything behind the daemon's API, and its one client. Never imports textual."""
