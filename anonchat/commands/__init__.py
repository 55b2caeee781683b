"""The commands of the command line, one module each. Their functions import what they need, so that none waits for all."""
