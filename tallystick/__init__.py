"""Tallystick's front door: the command line, the demo, and the testing kit for integrators."""
