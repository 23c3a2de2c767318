"""Autobahn|Testsuite against the fast edge."""
