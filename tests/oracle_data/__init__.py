"""Published numbers that the tests compare with."""
