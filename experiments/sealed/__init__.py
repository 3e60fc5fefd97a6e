"""A job in a sandbox without network, keys or ledger: what goes in, and what is believed of what comes out."""
