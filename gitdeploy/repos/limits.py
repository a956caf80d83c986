"""What a push may cost, from the server's options; each limit knows its option's name."""

from __future__ import annotations

import msgspec

from gitdeploy.config import Options


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a push. Sizes are bytes. `max_refs` counts the whole repository."""

    max_push_size: int
    max_push_objects: int
    max_object_size: int
    max_path_length: int
    max_refs: int
    max_delta_depth: int = 4096
    """git's own greatest `pack.depth`; not an option, nothing honest needs more."""
    window_bytes: int = 64 << 20
    """Inflated delta bases that are kept in memory while a pack is indexed."""
    max_push_options: int = 64
    max_push_option_bytes: int = 4096

    @classmethod
    def of(cls, options: Options) -> Limits:
        """The limits that these options ask for."""
        return cls(
            max_push_size=options.max_push_size,
            max_push_objects=options.max_push_objects,
            max_object_size=options.max_object_size,
            max_path_length=options.max_path_length,
            max_refs=options.max_refs,
        )
