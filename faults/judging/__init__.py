"""What was lost or written twice, from evidence that no worker wrote."""
