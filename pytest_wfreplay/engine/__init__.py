"""The engine: workflows, agents and runs. Nothing in here knows whether a run is live, recorded or replayed."""
