"""All posterior methods side by side on the same curves."""
