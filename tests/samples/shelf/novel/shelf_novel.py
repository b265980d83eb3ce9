"""Brings a title."""

API = "1"


def title() -> str:
    return "the novel"
