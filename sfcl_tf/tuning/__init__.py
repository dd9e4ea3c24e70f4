"""Searching for settings: KerasTuner's oracles over trainings of ours."""
