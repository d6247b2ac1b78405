"""The exact method: posteriors by Rao-Blackwellised quasi-Monte-Carlo."""
