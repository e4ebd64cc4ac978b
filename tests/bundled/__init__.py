"""The packages that cvflow brings itself, installed and run as a user would, on real photographs."""
