"""What libraries are told before they are loaded: ask no hub, tell nothing to anybody, draw no bars of their own."""

import os

# No stage asks a hub or tells one anything; `weights` alone goes there, and sets this aside for itself.
QUIET = {
    "DO_NOT_TRACK": "1",  # https://consoledonottrack.com, heard by many
    "DVC_NO_ANALYTICS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def quiet() -> None:
    """For this process and those that it starts."""
    os.environ.update(QUIET)
