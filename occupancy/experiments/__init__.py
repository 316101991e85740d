"""Experiments: from a configuration to their record."""
