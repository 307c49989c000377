"""Train the network that turns landmarks into expression coefficients."""
