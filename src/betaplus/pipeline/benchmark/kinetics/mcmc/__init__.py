"""Method `exact` beside long chains: ensemble MCMC and NUTS."""
