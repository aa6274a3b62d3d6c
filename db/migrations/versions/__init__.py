"""One module for each schema revision, never changed once released."""
