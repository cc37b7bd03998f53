"""The nine stories: what is said, shown and written, shot by shot."""
