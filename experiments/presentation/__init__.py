"""Words, numbers and pictures as people read them."""
