"""The networks of the bundled models, without transformers: importing that takes longer than segmenting an image.

They have transformers' names, so that towers and encoders are composed from either, and its operations in its order:
the numbers are the same to the last bit. What they do not cover is left to transformers, whatever the reason.
"""
