"""Reading, vectors and search on many machines; `engine` is the only place that imports ray."""
