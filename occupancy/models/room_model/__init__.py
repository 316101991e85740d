"""A generative model of a room: people come and go, breathe, move and make noise; sensors read it with errors."""
