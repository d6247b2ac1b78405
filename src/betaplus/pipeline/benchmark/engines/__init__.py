"""How much of two workers' time the verbs turn into speed: whole commands, engine beside engine."""
