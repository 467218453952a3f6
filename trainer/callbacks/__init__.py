"""The events of a training, and which methods of modules are called at them."""
