"""Image-space priors: values, gradients, curvatures and surrogates, with no projector in them."""
