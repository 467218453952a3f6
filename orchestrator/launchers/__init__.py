"""The launchers: each starts runners in its own way, and all start the same runner."""
