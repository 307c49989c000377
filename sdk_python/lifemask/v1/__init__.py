"""Messages and services of the contract, generated from `protos/lifemask/v1`."""
