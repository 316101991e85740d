"""From a sensor log to windows: source, gate, folds, features, and the module that feeds the models."""
