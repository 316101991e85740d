"""What is in a log, before any model: each module measures one thing, draws it and describes it."""
