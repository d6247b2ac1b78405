"""Networks, noise schedules, losses and samplers. Nothing here knows what PET is."""
