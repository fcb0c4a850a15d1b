"""Fixtures of this folder."""

from conftest_of_trust import done, here, pendulum_csv, start

__all__ = ["done", "here", "pendulum_csv", "start"]
