"""Line integrals through images and their adjoints."""
