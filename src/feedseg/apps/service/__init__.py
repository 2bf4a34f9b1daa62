"""The HTTP service: images and words in, masks out."""
