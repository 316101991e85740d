"""Many rooms: a model for each, carried out and recorded, and how the rooms did, as a table and a figure."""
