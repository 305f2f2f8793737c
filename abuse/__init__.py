"""What peta-viz has to withstand: bad input, and machines that fail."""
