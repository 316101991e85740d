"""The physics of a room, and its simulator."""
