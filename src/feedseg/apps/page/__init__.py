"""The page of `feedseg app`: a photo and words in, every pixel named, in a browser."""
