"""The physics of a room, and the simulator."""
