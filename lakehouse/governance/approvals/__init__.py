"""Signatories, and requests that several persons must sign before anything happens."""
