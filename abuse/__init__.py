"""What is done to the package on purpose, to see what it does then."""
