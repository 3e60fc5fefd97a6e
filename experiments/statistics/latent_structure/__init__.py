"""What stands behind many codes at once: factors and groups that nobody has written down."""
