"""One file a stage of the road, in its order."""
