"""Files that are whole or absent, and folders that may be on the disk or in memory."""

from backproplab.files.atomic import (
    exclusive_folder,
    link,
    machine_limits,
    sync_directory,
    write_atomic,
    write_together,
)
from backproplab.files.folder import DiskFolder, Folder, Log, MemoryFolder
from backproplab.files.names import is_plain_name, plain_name
from backproplab.files.places import cache_folder
from backproplab.files.reading import (
    Limit,
    UnusableFile,
    open_regular,
    parse_object,
    read_object,
    read_regular,
    unusable,
)
from backproplab.files.unwritten import UnwrittenFolder

__all__ = [
    "DiskFolder",
    "Folder",
    "Limit",
    "Log",
    "MemoryFolder",
    "UnusableFile",
    "UnwrittenFolder",
    "cache_folder",
    "exclusive_folder",
    "is_plain_name",
    "link",
    "machine_limits",
    "open_regular",
    "parse_object",
    "plain_name",
    "read_object",
    "read_regular",
    "sync_directory",
    "unusable",
    "write_atomic",
    "write_together",
]
