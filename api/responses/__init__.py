"""The shapes of every answer: what views fill in, and what the OpenAPI document describes.

Times are epoch milliseconds or null, ids are strings.
"""
