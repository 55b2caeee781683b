"""Migrations: the revisions of the core and of each plugin, one straight line and one version table an owner."""
