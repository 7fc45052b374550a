"""Jobs, stages and where they run."""
