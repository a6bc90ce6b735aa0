"""Fast paths, each behind the signature of the plain function that it replaces."""
