"""Retrieval studied: which part of a search earns its place, on any number of collections."""
