"""Random numbers from counters: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) in JAX.

jax.random's own arrays take seconds to compile; these take none, and are as long as 64-bit keys.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

__all__ = ["derive", "threefry_key", "uniforms"]

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_BITS = 53


def derive(key: Array, number: Array | int) -> Array:
    """Return the key of a numbered part of what `key` (uint64) stands for."""
    return _mix(key + (jnp.asarray(number).astype(jnp.uint64) + _word(1)) * _word(_GOLDEN))


def uniforms(key: Array, shape: tuple[int, ...]) -> Array:
    """Return numbers evenly spread over (0, 1), both ends left out."""
    count = 1
    for size in shape:
        count *= size
    bits = derive(key, jnp.arange(count)) >> _word(64 - _BITS)
    return ((bits.astype(jnp.float64) + 0.5) * 2.0**-_BITS).reshape(shape)


def threefry_key(key: Array) -> Array:
    """Return a key for jax.random, shape (2,) uint32."""
    return lax.bitcast_convert_type(_mix(key), jnp.uint32)


def _mix(z: Array) -> Array:
    z = (z ^ (z >> _word(30))) * _word(_FIRST)
    z = (z ^ (z >> _word(27))) * _word(_SECOND)
    return z ^ (z >> _word(31))


def _word(number: int) -> Array:
    return jnp.asarray(number, dtype=jnp.uint64)
