"""Who asks: signed tokens, the identity provider's keys, ended sessions."""
