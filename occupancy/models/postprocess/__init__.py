"""Decoding in time and calibration of a model's probabilities, learned from rows that it left out."""
