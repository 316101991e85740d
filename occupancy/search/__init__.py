"""The search for settings: what it tries, how it chooses, and how it is recorded, told and drawn."""
