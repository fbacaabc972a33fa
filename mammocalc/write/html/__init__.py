"""Reports for a browser: a page a study and an index of the run, each complete in itself."""
