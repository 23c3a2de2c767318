"""The embedded mode: everything Gluer needs on one machine, as children of one supervisor (docs/architecture.md)."""
