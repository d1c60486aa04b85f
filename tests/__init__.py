"""The tests; a package, so that `tests.oracle` imports the same way from everywhere."""
