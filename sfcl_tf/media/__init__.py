"""From a file to its pictures."""
