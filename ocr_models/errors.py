"""The errors that a user sees, each with the exit status that ``pagebeam`` ends with."""


class PagebeamError(Exception):
    """The run itself failed. The message names the input, what was expected and what to do."""

    exit_status = 1


class UsageError(PagebeamError):
    """The command or call was wrong before any work began: a pattern without files, a broken model folder."""

    exit_status = 2


class DocumentError(PagebeamError):
    """One document or page can't be read. It becomes one failed row; no other page suffers.

    Attributes:
        stage: where it failed: "open", "render", "decode" or "read".
    """

    def __init__(self, stage: str, message: str):
        super().__init__(stage, message)  # both, so that the error can be pickled
        self.stage = stage

    def __str__(self) -> str:
        return self.args[1]
