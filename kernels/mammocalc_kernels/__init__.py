"""Compiled kernels for mammography: numpy arrays and scalars in, arrays out."""
