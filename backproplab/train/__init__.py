"""Training: the loop, what attaches to it, and what it writes down."""
