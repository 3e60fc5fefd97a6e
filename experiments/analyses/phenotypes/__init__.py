"""Which codes the same persons have."""
