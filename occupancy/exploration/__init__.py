"""What a log holds, before any model: each module measures one thing, draws it and says what to see."""
