"""The Zementis service's resources."""
