"""Blood before kinetics: models of parent fraction and plasma, population and image curves."""
