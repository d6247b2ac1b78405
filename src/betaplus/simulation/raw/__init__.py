"""Raw data of a simulated head: what a scanner would have counted, and what it should have."""
