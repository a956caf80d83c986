"""Speed on the paths that matter, each as a ratio against a named peer in the same run."""
