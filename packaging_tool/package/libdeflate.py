"""Deflate by libdeflate: a third of zlib's time on programs, and smaller, but a whole block at a time.

From PyPI it comes with the module `deflate`; distributions that have no such module have the library itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from packaging_tool.errors import BuildError

Bytes = bytes | bytearray | memoryview
LIBRARY = "libdeflate.so.0"


def member(data: Bytes, level: int) -> bytes:
    """One gzip member (RFC 1952), without name and time. level: 0 stores the data. Raises BuildError."""
    return _gzip()(data, level)


@cache
def _gzip() -> Callable[[Bytes, int], bytes]:
    try:
        from deflate import gzip_compress
    except ImportError:
        return _of_library()
    # What it gives has as much room as the data may ever need; a copy lets the C library use that again.
    return lambda data, level: bytes(gzip_compress(data, level))


def _of_library() -> Callable[[Bytes, int], bytes]:
    """The same from the shared library, whose interface is in its libdeflate.h."""
    import ctypes

    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as failed:
        raise BuildError(
            "gzip needs libdeflate, which is not installed",
            hint="`pip install deflate`, or the distribution's package of libdeflate (libdeflate0 on Debian)",
        ) from failed
    library.libdeflate_alloc_compressor.argtypes = (ctypes.c_int,)
    library.libdeflate_alloc_compressor.restype = ctypes.c_void_p
    library.libdeflate_free_compressor.argtypes = (ctypes.c_void_p,)
    library.libdeflate_free_compressor.restype = None
    library.libdeflate_gzip_compress_bound.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    library.libdeflate_gzip_compress_bound.restype = ctypes.c_size_t
    sizes = (ctypes.c_char_p, ctypes.c_size_t) * 2
    library.libdeflate_gzip_compress.argtypes = (ctypes.c_void_p, *sizes)
    library.libdeflate_gzip_compress.restype = ctypes.c_size_t

    def compress(data: Bytes, level: int) -> bytes:
        # ctypes lets the GIL go for the time of a call.
        packer = library.libdeflate_alloc_compressor(level)
        if not packer:
            raise MemoryError
        try:
            room = library.libdeflate_gzip_compress_bound(packer, len(data))
            made = ctypes.create_string_buffer(room)
            size = library.libdeflate_gzip_compress(packer, bytes(data), len(data), made, room)
            return bytes(made.raw[:size])
        finally:
            library.libdeflate_free_compressor(packer)

    return compress
