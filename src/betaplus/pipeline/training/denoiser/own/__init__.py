"""Fine-tuning of the denoiser on a user's own scans, of which no clean image is known."""
