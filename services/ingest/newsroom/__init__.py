"""The newsroom: pages below /ban-bien-tap/ where editors work. A client of the editor API, and nothing else."""
