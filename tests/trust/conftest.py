"""Fixtures of this folder."""

from conftest_of_trust import done, pendulum_csv, start

__all__ = ["done", "pendulum_csv", "start"]
