"""From predictions to figures a person can trust: metrics, plots, report."""
