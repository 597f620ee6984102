"""Seeded damage: the same seed spoils the same bytes the same way, so that a finding can be looked at again."""

import io
import json
import random
from pathlib import Path

import numpy as np
import soundfile
import toy_model

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 16000, 1 << 20)
VALUES = (
    0,
    -1,
    1,
    1e308,
    -1e308,
    1e-320,
    1 << 70,
    1e9,
    True,
    None,
    "",
    "x" * 5000,
    "../../etc/passwd",
    [],
    {},
    [[[]]],
    "\0",
)
TOML_VALUES = (
    "0",
    "-1",
    "1e400",
    "nan",
    "inf",
    '""',
    "[]",
    "{}",
    "true",
    '"\\u0000"',
    "1979-05-27",
    '["a", 1]',
    "9" * 30,
)
HEADER_BYTES = 128


def spoiled(data: bytes, seed: int) -> bytes:
    """The bytes with one to three kinds of damage, half of it where headers are."""
    rng = random.Random(seed)
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not out:
            break
        reach = min(len(out), HEADER_BYTES) if rng.random() < 0.5 else len(out)
        at = rng.randrange(reach)
        kind = rng.randrange(9)
        if kind == 0:  # bits
            for _ in range(rng.randint(1, 16)):
                out[rng.randrange(reach)] ^= 1 << rng.randrange(8)
        elif kind == 1:  # bytes
            for _ in range(rng.randint(1, 32)):
                out[rng.randrange(reach)] = rng.randrange(256)
        elif kind == 2:  # a field of an extreme value
            width = rng.choice((1, 2, 4, 8))
            value = rng.choice(EXTREMES) % (1 << 8 * width)
            out[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))
        elif kind == 3:
            del out[at:]
        elif kind == 4:
            del out[at : at + rng.randint(1, 1 + len(out) // 4)]
        elif kind == 5:  # a piece twice
            piece = out[at : at + rng.randint(1, 512)]
            out[at:at] = piece
        elif kind == 6:
            out[at:at] = rng.randbytes(rng.randint(1, 64))
        elif kind == 7:
            length = rng.randint(1, 256)
            out[at : at + length] = bytes(min(length, len(out) - at))
        else:
            out += rng.randbytes(rng.randint(1, 4096))
    return bytes(out)


def senseless(text: str, seed: int) -> bytes:
    """JSON that is still JSON, with values that make no sense in it; now and then only spoiled bytes."""
    rng = random.Random(seed)
    if rng.random() < 0.3:
        return spoiled(text.encode(), seed)
    data = json.loads(text)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = list(_places(data))
        holder, key = rng.choice(places)
        kind = rng.randrange(4)
        if kind == 0 and isinstance(holder, dict):
            del holder[key]
            data = data if data else {"left": 0}
        elif kind == 1 and isinstance(holder, dict):
            holder[rng.choice(("unheard_of", "", "model.onnx", str(key).upper()))] = holder[key]
        elif kind == 2 and isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
            holder[key] = holder[key] * rng.choice((-1, 0, 2, 10, 1000, 0.5, 1e-6))
        else:
            holder[key] = rng.choice(VALUES)
    return json.dumps(data).encode()


def _places(data):
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(entries):
        yield data, key
        if not isinstance(value, list) or len(value) < 100:
            yield from _places(value)


def recordings(folder: Path) -> list[Path]:
    """One short recording of every container and coding that this installation can write."""
    folder.mkdir(parents=True, exist_ok=True)
    sound = toy_model.sound("bad.cab")
    found = []
    for format, subtypes in (
        ("WAV", ("PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")),
        ("WAVEX", ("PCM_16",)),
        ("FLAC", ("PCM_16", "PCM_24")),
        ("OGG", ("VORBIS", "OPUS")),
        ("MP3", ("MPEG_LAYER_III",)),
        ("AIFF", ("PCM_16", "FLOAT", "ALAW")),
        ("AU", ("PCM_16", "ULAW")),
        ("CAF", ("PCM_16", "ALAC_16")),
        ("W64", ("PCM_16",)),
        ("RF64", ("PCM_16",)),
        ("NIST", ("PCM_16",)),
    ):
        for subtype in subtypes:
            path = folder / f"{format}-{subtype}.{format.lower()}".replace(".wavex", ".wav")
            two = np.stack([sound, sound[::-1]], axis=1) if subtype in ("PCM_24", "VORBIS", "FLOAT") else sound
            try:
                soundfile.write(path, two, 16000, format=format, subtype=subtype)
            except (soundfile.SoundFileError, ValueError):
                continue
            found.append(path)
    return found + _media(folder, sound)


def _media(folder: Path, sound: np.ndarray) -> list[Path]:
    try:
        import av
    except ImportError:
        return []
    found = []
    for ending, codec, rate in (
        ("m4a", "aac", 16000),
        ("mp4", "aac", 16000),
        ("webm", "libopus", 48000),
        ("mkv", "pcm_s16le", 16000),
    ):
        path = folder / f"media.{ending}"
        samples = np.repeat(sound, rate // 16000)
        try:
            with av.open(str(path), "w") as container:
                stream = container.add_stream(codec, rate=rate, layout="mono")
                frame = av.AudioFrame.from_ndarray(
                    (samples * 32767).astype(np.int16)[None], format="s16", layout="mono"
                )
                frame.sample_rate = rate
                for packet in [*stream.encode(frame), *stream.encode(None)]:
                    container.mux(packet)
        except (av.error.FFmpegError, ValueError):
            continue
        found.append(path)
    return found


def language_models(folder: Path) -> list[Path]:
    """A small model as ARPA, gzipped, and as KenLM binaries of both kinds."""
    import gzip

    from transcribe_cli.lm import arpa, binary

    here = Path(__file__).parent.parent
    text = gzip.decompress((here / "lm" / "golden" / "order3.arpa.gz").read_bytes())
    folder.mkdir(parents=True, exist_ok=True)
    plain, packed, trie, floats = (folder / name for name in ("lm.arpa", "lm.arpa.gz", "trie.bin", "floats.bin"))
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    model = arpa.read(plain)
    binary.write(model, trie)
    binary.write(model, floats, bits=0, compressed=False)
    probing = folder / "probing.bin"
    probing.write_bytes((here / "lm" / "toy.probing.bin").read_bytes())
    return [plain, packed, trie, floats, probing]


def config(seed: int) -> bytes:
    """A TOML file with options of senseless values."""
    rng = random.Random(seed)
    keys = (
        "beam-width",
        "lm-weight",
        "pause-seconds",
        "hotword",
        "format",
        "window-seconds",
        "threads",
        "model",
        "jobs",
        "shard",
    )
    lines = [f"{rng.choice(keys)} = {rng.choice(TOML_VALUES)}\n" for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.3:
        lines.insert(
            rng.randrange(len(lines) + 1),
            rng.choice(("[evaluate]\n", "[nowhere]\n", "[[a]]\n", "\udcff", "=\n", "'''\n")),
        )
    data = "".join(lines).encode("utf-8", "surrogateescape")
    return spoiled(data, seed) if rng.random() < 0.3 else data


def wav(samples: np.ndarray, rate: int = 16000, subtype: str = "PCM_16") -> bytes:
    """Samples as the bytes of a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()
