"""The training loop: utterances in, checkpoints and a table of epochs out. One function, read from the top.

`train` goes on from `last.pt` of its folder when there is one, exactly where it was: weights, optimiser, random states,
the epoch's order and the place in it. A cache that grows meanwhile is looked at again at the start of each epoch.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..alphabet import Alphabet
from ..errors import TrainingError, TranscribeError
from . import batches, cache, checkpoint, manifest, measure, together, units
from .data import Cached, Live, Source
from .device import choose_device
from .losses import Teacher, ctc, disagreement
from .network import Head, Recogniser, facts, pretrained, untrained
from .options import LoopOptions, RunOptions, from_dict, kind_of, to_dict
from .table import COLUMNS, best_epochs, line_of, record, stalled

_BATCHES_TRIED = 10  # until one of them can be read


def train(
    options: RunOptions, folder: Path, say: Callable[[str], None], start: dict[str, Tensor] | None = None
) -> list[dict[str, Any]]:
    """Trains until the schedule ends and returns the epoch table, which also stands in `folder`/epochs.csv.

    start: weights to begin with (of an exported bundle), taken where name and shape fit. Under torchrun every process
    takes its part of each step's batches. Raises TrainingError when there is nothing to learn from, or the loss stops
    being a number again and again.
    """
    loop = options.loop
    team = together.join()
    say = say if team.first else _nothing
    device = choose_device(loop.device)
    torch.set_num_threads(loop.threads)
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / "last.pt"
    state = checkpoint.load(last) if last.exists() else {}
    if state:
        _same_network(from_dict(state["options"], str(last)), options, last)
    speller, auxiliary = spellers(options, state)
    torch.manual_seed(loop.seed)
    source, network = assemble(options, len(speller.alphabet), len(auxiliary.alphabet) if auxiliary else 0)
    if start and not state:
        say(f"starting from {begin_with(network, start)} tensors of the given bundle")
    network.to(device)
    if loop.teacher and not isinstance(source, Live):
        raise TrainingError("loop.teacher hears what the model hears, from audio: leave data.cache empty")
    teacher = Teacher(Path(loop.teacher), speller.alphabet, options) if loop.teacher else None
    optimiser = torch.optim.AdamW(groups(network, options), lr=loop.rate, betas=(0.9, 0.98))
    criterion = nn.CTCLoss(blank=0, reduction="none", zero_infinity=True)

    dev_sets, _ = source.entries(options.data.dev, set(source.names(options.data.dev)))
    dev = [entry for one in dev_sets for entry in one if speller.can(entry.text)]
    if odd := [entry for one in dev_sets for entry in one if not speller.can(entry.text)]:
        say(f"{len(odd)} dev utterances are left out, first {odd[0].id}: the units cannot write {odd[0].text[:40]!r}")
        if not dev:
            raise TrainingError("no dev utterance is left: prepare data.dev as data.train was (`transcribe prepare`)")
    epoch, step, at, seconds_seen, minutes, rate = 0, 0, 0, 0.0, 0.0, loop.rate
    seen: dict[str, int] = {}  # how often each utterance was taken, by its key
    table: list[dict[str, Any]] = []
    ready: list[str] = []  # what the running epoch was drawn from
    sums = {"loss": 0.0, "letters": 0.0, "infinite": 0.0, "skipped": 0.0, "seconds": 0.0, "minutes": 0.0}
    if state:
        network.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        epoch, step, at, seconds_seen, minutes = (
            state[key] for key in ("epoch", "step", "at", "seconds_seen", "minutes")
        )
        seen, table, ready, sums = state["seen"], state["table"], state["shards"], state["sums"]
        say(f"going on from step {step}, epoch {epoch + 1}, {seconds_seen / 3600:.1f} h of speech")

    def keep(path: Path) -> None:
        state: dict[str, Any] = {
            "options": to_dict(options),
            "model": network.state_dict(),
            "optimiser": optimiser.state_dict(),
        }
        state |= {"tokens": list(speller.alphabet.tokens), "boundary": speller.alphabet.boundary}
        state |= {"auxiliary": list(auxiliary.alphabet.tokens) if auxiliary else []}
        state |= {"epoch": epoch, "step": step, "at": at, "seen": seen, "table": table, "shards": ready, "sums": sums}
        state |= {"seconds_seen": seconds_seen, "minutes": minutes}
        if team.first:
            checkpoint.save(state, path)

    ended = bool(table) and (minutes >= loop.minutes if loop.minutes else epoch >= loop.epochs)
    ended = ended or bool(table and loop.patience and stalled(table, loop.patience))
    told = set[str]()
    while not ended:
        # the epoch's utterances and their order depend on the seed, the epoch, the cache and what was seen before
        # alone; one process looks at the cache, which may be growing; a resumed epoch has the shards it began with
        ready = together.agreed(ready if at else source.names(options.data.train), team)
        sets, missing = source.entries(options.data.train, set(ready))
        if isinstance(source, Live) and (lost := source.dropped.keys() - told):
            say(f"  {len(lost)} utterances cannot be used, first {source.dropped[min(lost)]}")
            told |= lost
        fitting = [[entry for entry in one if fits(entry, speller, options, source.stored)] for one in sets]
        rng = np.random.default_rng([loop.seed, epoch])
        chosen = batches.draw(fitting, [one.share for one in options.data.train], loop.epoch_hours, seen, rng)
        order = batches.pack([entry.seconds for entry in chosen], loop.batch_seconds, rng)
        if loop.sorted_first and epoch == 0:
            order = batches.pack([entry.seconds for entry in chosen], loop.batch_seconds)
        steps = len(order) // team.size
        if not steps:
            raise TrainingError("there is too little to train on: check data.train, and that data.cache is filled")
        if not at:
            hours = [sum(entry.seconds for entry in one) / 3600 for one in [chosen, *fitting]]
            say(
                f"epoch {epoch + 1}: {hours[0]:.2f} h in {steps} steps, "
                f"of {' + '.join(f'{h:.1f}' for h in hours[1:])} h"
            )
            if missing:
                say(f"  {missing} shards are not cached yet")
            if unfit := sum(map(len, sets)) - sum(map(len, fitting)):
                say(f"  {unfit} utterances are left out: empty text, foreign letters, or more labels than output rows")

        network.train()
        # a checkpoint within an epoch holds the counts of its start, with which it can be drawn again
        saved, before = time.monotonic(), dict(seen)
        for part in order[: at * team.size]:
            for i in part:
                seen[chosen[i].key] = seen.get(chosen[i].key, 0) + 1
        while at < steps:
            began = time.monotonic()
            progress = minutes / loop.minutes if loop.minutes else (epoch + at / steps) / loop.epochs
            if progress >= 1:
                ended = True
                break
            rate = schedule(step, progress, loop)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["scale"]
            # dropout and masks depend on seed, step and process alone, so a resumed run draws the same
            torch.manual_seed(loop.seed * 1_000_003 + step * team.size + team.rank)
            everyone = [chosen[i] for part in order[at * team.size : (at + 1) * team.size] for i in part]
            turn = [order[(at * team.size + team.rank + k) % len(order)] for k in range(_BATCHES_TRIED)]
            inputs, lengths, mine = first_readable([[chosen[i] for i in part] for part in turn], source, step, say)
            if loop.consistency:  # the same sounds again, behind the first: masks and dropout make them another view
                inputs, lengths, mine = torch.cat([inputs, inputs]), torch.cat([lengths, lengths]), mine + mine
            mask(inputs, lengths, loop, source.frames_per_second, np.random.default_rng([loop.seed, step, team.rank]))
            with torch.autocast(device.type, torch.bfloat16, enabled=loop.bfloat16):
                fed = transposed(inputs, source)
                log_probs, middle, rows = network.both(fed.to(device), lengths.to(device))
            losses, letters = ctc(criterion, log_probs, rows, mine, speller)
            loss = losses.sum()
            if auxiliary and middle is not None:
                second = ctc(criterion, middle, rows, mine, auxiliary)[0].sum()
                loss = (1 - loop.auxiliary_weight) * loss + loop.auxiliary_weight * second
            if loop.consistency:
                apart = disagreement(log_probs, rows)
                if auxiliary and middle is not None:
                    second = disagreement(middle, rows)
                    apart = (1 - loop.auxiliary_weight) * apart + loop.auxiliary_weight * second
                loss = loss + loop.consistency * apart
            if teacher is not None:
                lesson = teacher.loss(fed, lengths, log_probs, rows)
                loss = (1 - loop.teacher_weight) * loss + loop.teacher_weight * lesson
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            # zero_infinity has turned infinite losses to nothing; they are counted
            infinite = sum(not loss and bool(entry.text) for loss, entry in zip(losses.tolist(), mine, strict=True))
            infinite //= 2 if loop.consistency else 1  # utterances, not views
            mine_sums = [float(losses.detach().sum()), float(letters), float(infinite)]
            total_loss, total_letters, total_infinite = together.sum_gradients(network, mine_sums, team)
            for parameter in network.parameters():
                if parameter.grad is not None:
                    parameter.grad /= max(total_letters, 1.0)
            norm = nn.utils.clip_grad_norm_(network.parameters(), loop.clip or math.inf)
            if torch.isfinite(norm):
                optimiser.step()
            else:
                sums["skipped"] += 1
                say(f"  step {step}: the loss is not a number, the step is left out (first of it: {everyone[0].id})")
                if sums["skipped"] > 20:
                    raise TrainingError("more than 20 steps without a finite loss: lower loop.rate or loop.clip")
            speech = sum(entry.seconds for entry in everyone)
            for entry in everyone:
                seen[entry.key] = seen.get(entry.key, 0) + 1
            at, step = at + 1, step + 1
            # the clock is the first one's, so that the processes agree on the learning rate
            spent = together.agreed((time.monotonic() - began) / 60, team)
            minutes, seconds_seen = minutes + spent, seconds_seen + speech
            for key, value in (("loss", total_loss), ("letters", total_letters), ("infinite", total_infinite)):
                sums[key] += value
            sums["seconds"], sums["minutes"] = sums["seconds"] + speech, sums["minutes"] + spent
            if step % 50 == 0:
                pace = sums["seconds"] / max(sums["minutes"] * 60, 1e-9)
                mean = sums["loss"] / max(sums["letters"], 1)
                say(f"  step {step}: {at}/{steps}, loss {mean:.3f}, rate {rate:.2e}, {pace:.0f} x real time")
            if time.monotonic() - saved > loop.checkpoint_minutes * 60:
                counted, seen = seen, before
                keep(last)
                seen, saved = counted, time.monotonic()

        if not at:  # the time was up before the epoch began
            break
        epoch, at = epoch + 1, 0
        ended = ended or (not loop.minutes and epoch >= loop.epochs)
        began = time.monotonic()
        heard = evaluate(network, dev, source, speller, 0 if ended else loop.dev_limit, team, device)
        pace = sums["seconds"] / 3600 / max(sums["minutes"] * 60, 1e-9)
        training_loss = sums["loss"] / max(sums["letters"], 1)
        for score in measure.score(heard):
            losses_of = (round(training_loss, 4), round(score.loss, 4))
            rates_of = (round(score.cer, 4), round(score.wer, 4), round(rate, 7), round(pace, 5))
            row = (epoch, round(seconds_seen / 3600, 3), score.source, *losses_of, *rates_of)
            table.append(dict(zip(COLUMNS, row, strict=True)))
            say(line_of(table[-1]))
        if sums["infinite"]:
            say(f"  {int(sums['infinite'])} utterances had no path through the network's rows")
        for one in heard[len(heard) // 6 :: max(1, len(heard) // 3)][:3]:
            say(f"  said: {one.reference}\n  read: {one.hypothesis}")
        say(f"  measured in {time.monotonic() - began:.0f} s; {minutes:.1f} min trained")
        sums = dict.fromkeys(sums, 0.0)
        if team.first:
            record(table, folder)
        keep(folder / f"epoch-{epoch:03d}.pt")
        keep(last)
        if loop.patience and stalled(table, loop.patience):
            say(f"no better CER for {loop.patience} epochs: stopping")
            ended = True

    averaged = folder / "average.pt"
    if loop.average > 1 and table and (not averaged.exists() or checkpoint.load(averaged)["epoch"] < epoch):
        best = best_epochs(table, folder, loop.average)
        network.load_state_dict(checkpoint.average(best))
        heard = evaluate(network, dev, source, speller, 0, team, device)
        say(f"mean of {', '.join(path.stem for path in best)}:")
        for score in measure.score(heard):
            say(f"  {score.source:16s} CER {100 * score.cer:5.2f} %  WER {100 * score.wer:5.2f} %")
        keep(averaged)
    together.leave(team)
    return table


def spellers(options: RunOptions, state: dict[str, Any]) -> tuple[units.Speller, units.Speller | None]:
    """The speller of the outputs and of an auxiliary head; those of a checkpoint, or made from the training texts."""

    def one(kind: str, tokens: list[str], boundary: str | None) -> units.Speller:
        if tokens:
            return units.Speller(kind, Alphabet(tuple(tokens), boundary=boundary))
        if kind in ("char", "phoneme"):
            return units.build(kind, [])
        paths = [path for one in options.data.train for path in manifest.find(one.manifest)]
        return units.build(
            kind, [utterance.text for path in paths for utterance in manifest.read(path)], data.units_size
        )

    data = options.data
    main = one(data.units, state.get("tokens", []), state.get("boundary", " "))
    if not options.network.auxiliary_layer:
        return main, None
    second = units.build(data.auxiliary_units, []) if data.auxiliary_units in ("char", "phoneme") else None
    return main, second or one(data.auxiliary_units, state.get("auxiliary", []), units.START)


def assemble(options: RunOptions, tokens: int, auxiliary_tokens: int) -> tuple[Source, Head | Recogniser]:
    """Where the inputs come from, and the network that reads them.

    Over a cache of hidden frames that is the head alone, or the head and the encoder's upper blocks; else the whole.
    """
    shape = options.network
    hidden = bool(options.data.cache) and cache.holds_hidden(options)
    if hidden and not shape.frozen_blocks:
        return Cached(options), Head(facts(shape).dimension, tokens, shape, auxiliary_tokens)
    network = untrained(shape, tokens, auxiliary_tokens, over_cache=hidden)
    if shape.encoder != "conv" and shape.encoder_file:
        network.encoder.load_state_dict(pretrained(shape).state_dict())
    if options.data.cache:
        return Cached(options), network
    return Live(options, network.encoder, cache.recipe_of(options)), network


def begin_with(network: Head | Recogniser, start: dict[str, Tensor]) -> int:
    """Copies the tensors whose names and shapes fit; returns how many. Raises TrainingError when none does.

    A first recurrent layer that reads the mean of frames begins with one that read them side by side.
    """
    own = network.state_dict()
    if isinstance(network, Head):
        start = {name.removeprefix("head."): value for name, value in start.items()}
    first = [name for name in start if name in own and "layers.0." in name and "weight_ih" in name]
    start = {**start, **{name: _unstacked(start[name], own[name]) for name in first}}
    taken = {name: value for name, value in start.items() if name in own and own[name].shape == value.shape}
    if not taken or any(name in own and name not in taken for name in start):
        raise TrainingError("the given bundle is of another network: use the config that it was trained with")
    network.load_state_dict({**own, **taken})
    return len(taken)


def _unstacked(weight: Tensor, wanted: Tensor) -> Tensor:
    """(gates, k · inputs) → (gates, inputs), the sum over k frames side by side, where `wanted` is of that shape."""
    rows, inputs = wanted.shape
    if len(weight) != rows or weight.shape[1] % inputs:
        return weight
    return weight.reshape(rows, -1, inputs).sum(1)


def _nothing(line: str) -> None:
    """What the other processes say."""


def schedule(step: int, progress: float, loop: LoopOptions) -> float:
    """Learning rate: linear warm-up by steps, then half a cosine down to the final rate. progress: 0…1."""
    warm = min(1.0, (step + 1) / max(1, loop.warmup_steps))
    return warm * (loop.final_rate + (loop.rate - loop.final_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def groups(network: nn.Module, options: RunOptions) -> list[dict[str, Any]]:
    """Parameter groups by learning rate and weight decay.

    The encoder's rate is a fraction of the head's and falls from block to block towards the input; weight decay is for
    matrices alone, not for biases and normalisations.
    """
    shape = options.network
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    depth = len(getattr(getattr(network, "encoder", None), "blocks", ()))
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        scale = 1.0
        if name.startswith("encoder.") and shape.encoder != "conv":
            block = int(name.split(".")[2]) if name.startswith("encoder.blocks.") else -1
            above = 0 if name.startswith("encoder.norm") else depth - 1 - block
            scale = shape.encoder_rate * shape.encoder_decay**above
        decay = options.loop.weight_decay if parameter.ndim > 1 else 0.0
        found.setdefault((scale, decay), []).append(parameter)
    return [{"params": some, "weight_decay": decay, "scale": scale} for (scale, decay), some in found.items()]


def fits(entry: cache.Entry, speller: units.Speller, options: RunOptions, stored: int = 1) -> bool:
    """Whether an utterance can be learned: spelled by the units, and its rows can hold its labels.

    stored: an entry's frames for each frame that the recurrent layers read.
    """
    if kind_of(entry.variant) == "wordless":
        return True
    if not speller.can(entry.text):
        return False
    labels = speller.encode(entry.text)
    needed = len(labels) + sum(a == b for a, b in pairwise(labels))
    return needed <= -(-entry.frames // (stored * options.network.stack)) * options.network.rows


def collate(
    entries: list[cache.Entry], source: Source, step: int, say: Callable[[str], None]
) -> tuple[Tensor, Tensor, list[cache.Entry]]:
    """Entries → inputs (batch, longest, size) float32 zero-padded (samples: (batch, longest)), lengths, entries kept.

    An entry whose audio cannot be read is said and left out. Raises TrainingError when none can.
    """
    arrays, kept = [], []
    for entry in entries:
        try:
            arrays.append(source(entry, step))
            kept.append(entry)
        except TranscribeError as error:
            say(f"  left out: {error}")
    if not arrays:
        raise TrainingError(f"no utterance of a whole batch can be read, first {entries[0].id}: check the manifests")
    inputs = torch.zeros(len(arrays), max(map(len, arrays)), *arrays[0].shape[1:])
    for i, array in enumerate(arrays):
        inputs[i, : len(array)] = torch.from_numpy(array)
    return inputs, torch.tensor([len(array) for array in arrays]), kept


def first_readable(
    parts: list[list[cache.Entry]], source: Source, step: int, say: Callable[[str], None]
) -> tuple[Tensor, Tensor, list[cache.Entry]]:
    """The first batch of which something can be read, as `collate` gives it. Raises TrainingError when none can."""
    for part in parts[:-1]:
        try:
            return collate(part, source, step, say)
        except TrainingError:
            continue  # each entry was said
    return collate(parts[-1], source, step, say)


def transposed(inputs: Tensor, source: Source) -> Tensor:
    """Inputs as the network takes them: features by frames where it starts at the features."""
    return inputs.transpose(1, 2) if source.features and inputs.ndim == 3 else inputs


def mask(
    inputs: Tensor, lengths: Tensor, loop: LoopOptions, frames_per_second: float, rng: np.random.Generator
) -> None:
    """Hides stretches of time and bands of features, in place; the shorter the utterance, the fewer stretches.

    Source: Park et al., SpecAugment (arXiv 1904.08779); over a cache on the encoder's output. Samples stay as they are.
    """
    if inputs.ndim < 3:
        return
    features = inputs.shape[2]
    for i, length in enumerate(lengths.tolist()):
        for _ in range(min(loop.time_masks, 1 + int(length / (2 * frames_per_second)))):
            width = int(rng.integers(0, int(loop.time_mask_seconds * frames_per_second) + 1))
            start = int(rng.integers(0, max(1, length - width)))
            inputs[i, start : start + min(width, length // 4)] = 0
        for _ in range(loop.feature_masks):
            width = int(rng.integers(0, int(loop.feature_mask_share * features) + 1))
            start = int(rng.integers(0, features - width + 1))
            inputs[i, :, start : start + width] = 0


def evaluate(
    network: Head | Recogniser,
    dev: list[cache.Entry],
    source: Source,
    speller: units.Speller,
    limit: int,
    team: together.Group,
    device: torch.device,
) -> list[measure.Heard]:
    """Greedy decodings of the dev entries, or of `limit` a source, spread over it; each process takes its part.

    Those that cannot be read are left out; raises TrainingError when that is all of them.
    """
    network.eval()
    dev = measure.spread(dev, limit)

    def stream() -> Iterator[tuple[Tensor, Tensor, list[str], list[str]]]:
        for some in batches.pack([entry.seconds for entry in dev], 120.0)[team.rank :: team.size]:
            try:
                inputs, lengths, kept = collate([dev[i] for i in some], source, 0, _nothing)
            except TrainingError:
                continue
            yield (
                transposed(inputs, source).to(device),
                lengths.to(device),
                [entry.text for entry in kept],
                [entry.source for entry in kept],
            )

    heard = together.gathered(measure.listen(stream(), network, speller), team)
    if dev and not heard:
        raise TrainingError(f"no dev utterance can be read, first {dev[0].id}: check data.dev")
    return sorted(heard, key=lambda one: (one.source, one.reference))


def _same_network(found: RunOptions, wanted: RunOptions, path: Path) -> None:
    # dropout, rates and where the encoder lies may change within a run; the shape may not
    one, other = (
        replace(run.network, dropout=0.0, encoder_file="", encoder_rate=0.0, encoder_decay=0.0)
        for run in (found, wanted)
    )
    if one != other:
        raise TrainingError(f"{path} is of another network: train into another folder with --out, or delete it")
