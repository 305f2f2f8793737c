"""What is done to peta-viz to see whether it keeps its word; each module is a command."""
