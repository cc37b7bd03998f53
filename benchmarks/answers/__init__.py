"""Questions that quoted answers are tuned and measured with; see README.md."""
