"""Open-vocabulary segmentation without training."""
