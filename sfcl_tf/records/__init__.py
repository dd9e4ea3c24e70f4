"""From faces to records on the disk, and what is told of them."""
