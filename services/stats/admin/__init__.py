"""Admin commands: verify, rebuild, adjust, dlq."""
