"""Files that are whole or absent, and folders that may be on the disk or in memory."""

from backproplab.files.atomic import (
    exclusive_folder,
    machine_limits,
    sync_directory,
    write_atomic,
)
from backproplab.files.folder import DiskFolder, Folder, Log, MemoryFolder
from backproplab.files.names import is_plain_name

__all__ = [
    "DiskFolder",
    "Folder",
    "Log",
    "MemoryFolder",
    "exclusive_folder",
    "is_plain_name",
    "machine_limits",
    "sync_directory",
    "write_atomic",
]
