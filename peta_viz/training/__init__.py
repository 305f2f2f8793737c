"""The classifier: configuration, data, model, loop, prediction. Needs the extra ``train``."""
