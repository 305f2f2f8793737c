"""Decisions of people about labels: what they are, where they are kept, and what comes of them."""
