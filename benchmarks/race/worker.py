"""One recogniser behind a line protocol. Runs in the recogniser's own virtual environment: only its packages are here.

    python worker.py ENGINE '{"threads": 2, …}'

The first line out is {"ready": true, "wall": …, "cpu": …, "peak_mb": …} once the model is loaded. Then each line in,
{"wav": PATH} (16 kHz, mono, 16 bits), is answered by {"text": …} with the same keys. Whatever the recogniser itself
prints goes to standard error. Seconds of cpu are of all threads of this process.
"""

import json
import os
import resource
import sys
import time
import wave

LONGEST = 25.0  # seconds given at once to recognisers that have no way of their own to cut a recording


def transcribe(options):
    """This project, as a library."""
    from transcribe_cli import Transcriber
    from transcribe_cli.decoding import DecodingOptions

    greedy = options["decoder"] == "greedy"
    transcriber = Transcriber(
        options["model"],
        False if greedy else None,
        device="cpu",
        threads=options["threads"],
        decoding=DecodingOptions(decoder=options["decoder"]),
    )
    return lambda path: transcriber.transcribe(path).text


def whisper(options):
    """faster-whisper with its own defaults but for the number of hypotheses, which is named."""
    from faster_whisper import WhisperModel

    model = WhisperModel(
        options["folder"], device="cpu", compute_type=options["compute"], cpu_threads=options["threads"], num_workers=1
    )

    def recognise(path):
        segments, _ = model.transcribe(path, language="en", beam_size=options["beam"])
        return " ".join(segment.text.strip() for segment in segments)

    return recognise


def moonshine(options):
    """moonshine-voice with the model in its wheel; it takes its own number of threads, so cores are what bounds it."""
    from moonshine_voice import ModelArch
    from moonshine_voice.transcriber import Transcriber

    transcriber = Transcriber(options["folder"], ModelArch.TINY)

    def recognise(path):
        found = transcriber.transcribe_without_streaming((samples(path) / 32768.0).tolist(), 16000)
        return " ".join(line.text.strip() for line in found.lines)

    return recognise


def pocketsphinx(options):
    """PocketSphinx with the model in its wheel; long recordings are cut by its own segmenter."""
    from pocketsphinx import Decoder, Segmenter

    decoder = Decoder(samprate=16000, loglevel="FATAL")

    def decode(data):
        decoder.start_utt()
        decoder.process_raw(data, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr if found is not None else ""

    def recognise(path):
        with wave.open(path) as file:
            if file.getnframes() <= LONGEST * 16000:
                return decode(file.readframes(file.getnframes()))
        segmenter = Segmenter(sample_rate=16000)
        with open(path, "rb") as file:
            file.seek(44)
            return " ".join(filter(None, (decode(segment.pcm) for segment in segmenter.segment(file))))

    return recognise


def hama(options):
    """hama: phonemes by CTC, then its own spelling of them, both one after the other as its README shows."""
    import hama as package
    import numpy as np

    model, spell = package.ASRModel(), package.P2GModel()

    def recognise(path):
        out = []
        for piece in cut(samples(path)):
            if len(piece) < 1600:  # less than its network takes
                continue
            words = model.transcribe_waveform(piece.astype(np.float32) / 32768, 16000).word_phoneme_text.split(" | ")
            some, n = [], 0
            for word in words:  # its speller takes 192 phonemes
                if n + len(word.split()) + 1 > 180:
                    out.append(spell.predict(" | ".join(some)).text)
                    some, n = [], 0
                some.append(word)
                n += len(word.split()) + 1
            if any(some):
                out.append(spell.predict(" | ".join(some)).text)
        return " ".join(filter(None, out))

    return recognise


def samples(path):
    """(n,) int16 as the file has them."""
    import numpy as np

    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def cut(sound):
    """Pieces of at most LONGEST seconds, ended where the last 10 s of that are quietest."""
    import numpy as np

    longest, search = int(LONGEST * 16000), 160000
    while len(sound) > longest:
        tail = np.abs(sound[longest - search : longest].astype(np.float32)).reshape(-1, 1600).mean(axis=1)
        end = longest - search + int(tail.argmin()) * 1600 + 800
        yield sound[:end]
        sound = sound[end:]
    yield sound


ENGINES = {f.__name__: f for f in (transcribe, whisper, moonshine, pocketsphinx, hama)}


def cpu():
    """Processor seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(engine, options):
    # what libraries print must not get between the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(begun, begun_cpu, **facts):
        facts |= {"wall": time.perf_counter() - begun, "cpu": cpu() - begun_cpu}
        facts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answers.write(json.dumps(facts) + "\n")
        answers.flush()

    begun, begun_cpu = time.perf_counter(), cpu()
    recognise = ENGINES[engine](options)
    say(begun, begun_cpu, ready=True)
    for line in sys.stdin:
        begun, begun_cpu = time.perf_counter(), cpu()
        text = recognise(json.loads(line)["wav"])
        say(begun, begun_cpu, text=text)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
