"""Speed over time: what a simulated car drives."""
