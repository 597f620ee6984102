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
    """This project, as a library in a process of its own, which holds its memory as the command does."""
    from transcribe_cli import Transcriber, memory
    from transcribe_cli.decoding import DecodingOptions

    memory.hold_small()
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
    """moonshine-voice as its package offers it, with its own cutting at pauses; it chooses its number of threads.

    A stream a recording, transcribed once at its end: its call for whole recordings repeats lines of earlier ones.
    """
    from moonshine_voice import ModelArch
    from moonshine_voice.transcriber import Transcriber

    transcriber = Transcriber(options["folder"], ModelArch.TINY)

    def recognise(path):
        stream = transcriber.create_stream(update_interval=1e9)
        stream.start()
        stream.add_audio((samples(path) / 32768.0).tolist(), 16000)
        lines = stream.update_transcription(Transcriber.MOONSHINE_FLAG_FORCE_UPDATE).lines
        stream.close()
        return " ".join(line.text.strip() for line in lines)

    return recognise


def moonshine_graphs(options):
    """Moonshine's two graphs under onnxruntime, greedy, 25 s at most at once: the quickest way to run it."""
    import numpy as np
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options["threads"]
    settings.log_severity_level = 3
    encoder, decoder = (
        onnxruntime.InferenceSession(
            os.path.join(options["folder"], name), settings, providers=["CPUExecutionProvider"]
        )
        for name in ("encoder_model.ort", "decoder_model_merged.ort")
    )
    pieces = vocabulary(os.path.join(options["folder"], "tokenizer.bin"))
    past = [node for node in decoder.get_inputs() if node.name.startswith("past_key_values")]
    empty = {node.name: np.zeros((1, node.shape[1], 0, node.shape[3]), np.float32) for node in past}
    outputs = [node.name for node in decoder.get_outputs()]
    start, end = 1, 2

    def decode(sound):
        heard = np.ones((1, len(sound)), np.int64)
        states = encoder.run(None, {"input_values": sound[None], "attention_mask": heard})[0]
        cache, token, said = dict(empty), start, b""
        for step in range(int(len(sound) / 16000 * 6.5) + 8):  # its makers' bound against endless repetition
            given = {"input_ids": np.array([[token]], np.int64), "use_cache_branch": np.array([step > 0]), **cache}
            given |= {"encoder_hidden_states": states, "encoder_attention_mask": heard}
            found = dict(zip(outputs, decoder.run(None, given), strict=True))
            for name in cache:  # what the encoder gave is computed in the first step only
                if step == 0 or ".decoder." in name:
                    cache[name] = found[name.replace("past_key_values", "present")]
            token = int(found["logits"][0, -1].argmax())
            if token == end:
                break
            said += pieces[token]
        return said.decode("utf-8", "ignore").replace("\u2581", " ").strip()

    def recognise(path):
        sound = samples(path).astype(np.float32) / 32768
        return " ".join(filter(None, (decode(piece) for piece in cut(sound) if len(piece) > 1600)))

    return recognise


def vocabulary(path):
    """Pieces of text by token: each is its length, in one byte or two, and its bytes; special tokens are empty."""
    with open(path, "rb") as file:
        data = file.read()
    pieces, at = [], 0
    while at < len(data):
        n = data[at]
        at += 1
        if n >= 128:
            n += 128 * data[at] - 128
            at += 1
        pieces.append(data[at : at + n])
        at += n
    return [b"" if piece in (b"<unk>", b"<s>", b"</s>") else piece for piece in pieces]


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


ENGINES = {f.__name__: f for f in (transcribe, whisper, moonshine, moonshine_graphs, pocketsphinx, hama)}


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
