"""The errors Footnote raises on purpose, each with an exit code and a next step.

    FootnoteError                 1  (a bug, when it is raised bare)
    ├── UsageError                2  the request cannot be carried out as asked
    │   ├── SettingsError         2  an unknown or unusable setting
    │   ├── LibraryNotFound       2  no library there, or an empty one
    │   ├── VideoNotFound         2  no video of that id, prefix or path
    │   ├── BudgetSpent           2  the budget of the library has no model call left
    │   └── EmbeddingMismatch     2  the library was made with another embedding model
    ├── ModelUnavailable          3  a model, package or endpoint that cannot be had
    ├── NoRoom                    3  the disk is full
    ├── MediaError                4  a file that cannot be read, or only in part
    ├── ClockError                4  a time outside 0 <= start < end <= duration
    ├── RowError                  4  a row of an import that cannot be used
    ├── GivenUp                 130  nobody waits for this work any more
    └── IndexDamaged              5  a derived index (or the catalog) that needs repair

A message says what is wrong with which thing; a hint is the command or setting that helps.
"""

from __future__ import annotations


class FootnoteError(Exception):
    """Root of the tree: `code` names the class in JSON, `hint` the next step."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[FootnoteError], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class UsageError(FootnoteError):
    code = "usage"
    exit_code = 2


class SettingsError(UsageError):
    code = "settings"


class LibraryNotFound(UsageError):
    code = "library_not_found"


class VideoNotFound(UsageError):
    code = "video_not_found"


class BudgetSpent(UsageError):
    code = "budget_spent"


class EmbeddingMismatch(UsageError):
    code = "embedding_mismatch"


class ModelUnavailable(FootnoteError):
    code = "model_unavailable"
    exit_code = 3


class NoRoom(FootnoteError):
    code = "no_room"
    exit_code = 3


class MediaError(FootnoteError):
    code = "media"
    exit_code = 4


class ClockError(FootnoteError):
    code = "clock"
    exit_code = 4


class RowError(FootnoteError):
    code = "row"
    exit_code = 4


class GivenUp(FootnoteError):
    code = "given_up"
    exit_code = 130


class IndexDamaged(FootnoteError):
    code = "index_damaged"
    exit_code = 5
