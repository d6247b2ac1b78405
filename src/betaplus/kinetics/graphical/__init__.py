"""Graphical methods: straight lines through late frames; Patlak, Logan, MRTM2 and SUVR."""
