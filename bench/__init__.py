"""Gluer beside other relays, on one machine: `make bench` (README.md)."""
