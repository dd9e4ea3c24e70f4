"""Detectors to compare with: the same inputs and output as SFCL-HCMF."""
