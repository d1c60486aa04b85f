"""The demo: a model grades essays under several wordings, freely and in a format."""
