"""`model.generate` in every mode, on every kind of architecture."""
