"""The trust map: probabilities of models and the misfit flag."""
