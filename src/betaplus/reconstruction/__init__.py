"""From raw counts to images."""
