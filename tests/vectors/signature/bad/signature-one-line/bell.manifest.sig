untrusted comment: verify with the key
