"""Python imports this when it starts: every process below a test gets its fault points."""

import fault_points

fault_points.install()
