"""What moves in a notebook: the gallery and the confusion matrix."""
