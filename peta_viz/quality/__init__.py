"""How likely each label of each image is wrong, and what says so."""
