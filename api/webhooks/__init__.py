"""The webhook: one call or an array of them."""
