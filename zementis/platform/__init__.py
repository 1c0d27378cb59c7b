"""The platform's own resources, over the local store: inventory and measurements, as device agents know them."""
