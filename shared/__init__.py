"""What the api and the worker have in common; knows neither of them."""
