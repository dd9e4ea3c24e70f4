"""What stands below everything: files, processes, errors, the system's own limits."""
