"""What became of points in the store: figures of a period, and of what is going on now."""
