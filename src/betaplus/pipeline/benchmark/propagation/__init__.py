"""What becomes of uncertainty on the way from raw data to Ki: sound chains and a naive one."""
