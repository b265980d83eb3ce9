"""Signatures: OpenPGP for repositories and rpm headers, signify's format for manifests."""
