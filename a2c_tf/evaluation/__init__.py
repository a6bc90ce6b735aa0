"""Playing episodes to score an agent, and recording one as a video."""
