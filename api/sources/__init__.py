"""Call sources as the dashboard sees and changes them."""
