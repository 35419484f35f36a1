"""The entry point for external code: a run's stop token, and the helper that brings its state up to date."""

from scripts.run.state import sync_run_state
from scripts.run.stop import StopRequested, StopToken

__all__ = ["StopRequested", "StopToken", "sync_run_state"]
