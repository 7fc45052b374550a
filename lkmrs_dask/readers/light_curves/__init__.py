"""Light curves of Kepler, K2 and TESS, of those who corrected them, and of anyone's tables."""
