"""The training loop: cached encoder frames in, checkpoints and a table of epochs out. One function, read from the top.

`train` goes on from `last.pt` of its folder when there is one, exactly where it was: weights, optimiser, random states,
the epoch's order and the place in it. A cache that grows meanwhile is looked at again at the start of each epoch.
"""

import csv
import math
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..alphabet import Alphabet
from ..errors import TrainingError
from . import batches, cache, checkpoint, measure, together
from .encoder import FACTS
from .network import Head
from .options import LoopOptions, RunOptions, from_dict, to_dict

CHARACTERS = Alphabet(("<blank>", " ", "'", *"abcdefghijklmnopqrstuvwxyz"))
COLUMNS = ("epoch", "hours", "source", "training_loss", "validation_loss", "cer", "wer", "rate", "hours_per_second")


def train(options: RunOptions, folder: Path, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Trains until the schedule ends and returns the epoch table, which also stands in `folder`/epochs.csv.

    Under torchrun every process takes its part of each step's batches. Raises TrainingError when there is nothing to
    learn from, or the loss stops being a number again and again.
    """
    loop, alphabet = options.loop, CHARACTERS
    team = together.join()
    say = say if team.first else _nothing
    torch.set_num_threads(loop.threads)
    torch.manual_seed(loop.seed)
    folder.mkdir(parents=True, exist_ok=True)
    frames, store = cache.Frames(), Path(options.data.cache)
    network = Head(FACTS[options.network.encoder].dimension, len(alphabet), options.network)
    optimiser = torch.optim.AdamW(groups(network, loop), lr=loop.rate, betas=(0.9, 0.98))
    criterion = nn.CTCLoss(blank=alphabet.blank, reduction="none", zero_infinity=True)

    dev_sets, _ = cache.read(store, options.data.dev, options.data.shard)
    dev = [entry for one in dev_sets for entry in one]
    epoch, step, at, seconds_seen, minutes, rate = 0, 0, 0, 0.0, 0.0, loop.rate
    seen: dict[str, int] = {}  # how often each utterance was taken, by its key
    table: list[dict[str, Any]] = []
    shards: list[str] = []  # what the running epoch was drawn from
    sums = {"loss": 0.0, "letters": 0.0, "infinite": 0.0, "skipped": 0.0, "seconds": 0.0, "minutes": 0.0}
    last = folder / "last.pt"
    if last.exists():
        state = checkpoint.load(last)
        _same_network(from_dict(state["options"], str(last)), options, last)
        network.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        epoch, step, at, seconds_seen, minutes = (
            state[key] for key in ("epoch", "step", "at", "seconds_seen", "minutes")
        )
        seen, table, shards, sums = state["seen"], state["table"], state["shards"], state["sums"]
        say(f"going on from step {step}, epoch {epoch + 1}, {seconds_seen / 3600:.1f} h of speech")

    def keep(path: Path) -> None:
        state = {"options": to_dict(options), "model": network.state_dict(), "optimiser": optimiser.state_dict()}
        state |= {"epoch": epoch, "step": step, "at": at, "seen": seen, "table": table, "shards": shards, "sums": sums}
        state |= {"seconds_seen": seconds_seen, "minutes": minutes}
        if team.first:
            checkpoint.save(state, path)

    ended = False
    while not ended and (loop.minutes > 0 or epoch < loop.epochs):
        # the epoch's utterances and their order depend on the seed, the epoch, the cache and what was seen before
        # alone; one process looks at the cache, which may be growing; a resumed epoch has the shards it began with
        present = shards if at else cache.cached(store, options.data.train, options.data.shard)
        shards = together.agreed(present, team)
        sets, missing = cache.read(store, options.data.train, options.data.shard, set(shards))
        sets = [[entry for entry in one if trainable(entry, alphabet, options)] for one in sets]
        rng = np.random.default_rng([loop.seed, epoch])
        chosen = batches.draw(sets, [one.share for one in options.data.train], loop.epoch_hours, seen, rng)
        order = batches.pack([entry.seconds for entry in chosen], loop.batch_seconds, rng)
        steps = len(order) // team.size
        if not steps:
            raise TrainingError(f"{store}: too little is cached yet; run `transcribe prepare` with --cache first")
        if not at:
            hours = " + ".join(f"{sum(entry.seconds for entry in one) / 3600:.1f}" for one in sets)
            say(
                f"epoch {epoch + 1}: {sum(entry.seconds for entry in chosen) / 3600:.2f} h in {steps} steps, of {hours} h"
            )
            if missing:
                say(f"  {missing} shards are not cached yet")

        network.train()
        saved, before = time.monotonic(), dict(seen)
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
            mine = [chosen[i] for i in order[at * team.size + team.rank]]
            hidden, lengths, targets, target_lengths = collate(mine, frames, alphabet)
            mask(hidden, lengths, loop, np.random.default_rng([loop.seed, step, team.rank]))
            log_probs, rows = network(hidden, lengths)
            losses = criterion(log_probs.transpose(0, 1), targets, rows, target_lengths)
            optimiser.zero_grad()
            losses.sum().backward()
            # zero_infinity has turned infinite losses to nothing; they are counted
            mine_sums = [float(losses.detach().sum()), float(target_lengths.sum()), float((losses == 0).sum())]
            total_loss, letters, infinite = together.sum_gradients(network, mine_sums, team)
            for parameter in network.parameters():
                if parameter.grad is not None:
                    parameter.grad /= letters
            norm = nn.utils.clip_grad_norm_(network.parameters(), loop.clip or math.inf)
            if torch.isfinite(norm):
                optimiser.step()
            else:
                sums["skipped"] += 1
                say(f"  step {step}: the loss is not a number, the step is left out (first of it: {mine[0].id})")
                if sums["skipped"] > 20:
                    raise TrainingError("more than 20 steps without a finite loss: lower loop.rate or loop.clip")
            speech = sum(entry.seconds for entry in everyone)
            for entry in everyone:
                seen[entry.key] = seen.get(entry.key, 0) + 1
            at, step = at + 1, step + 1
            # the clock is the first one's, so that the processes agree on the learning rate
            spent = together.agreed((time.monotonic() - began) / 60, team)
            minutes, seconds_seen = minutes + spent, seconds_seen + speech
            for key, value in (("loss", total_loss), ("letters", letters), ("infinite", infinite)):
                sums[key] += value
            sums["seconds"], sums["minutes"] = sums["seconds"] + speech, sums["minutes"] + spent
            if step % 50 == 0:
                pace = sums["seconds"] / max(sums["minutes"] * 60, 1e-9)
                mean = sums["loss"] / max(sums["letters"], 1)
                say(f"  step {step}: {at}/{steps}, loss {mean:.3f}, rate {rate:.2e}, {pace:.0f} x real time")
            if time.monotonic() - saved > loop.checkpoint_minutes * 60:
                # the epoch can be drawn again only with the counts of its start
                counted, seen = seen, before
                keep(last)
                seen, saved = counted, time.monotonic()

        epoch, at = epoch + 1, 0
        whole = ended or (not loop.minutes and epoch == loop.epochs)
        began = time.monotonic()
        heard = evaluate(network, dev, frames, alphabet, 0 if whole else loop.dev_limit, team)
        pace = sums["seconds"] / 3600 / max(sums["minutes"] * 60, 1e-9)
        training_loss = sums["loss"] / max(sums["letters"], 1)
        for score in measure.score(heard):
            row = (epoch, round(seconds_seen / 3600, 3), score.source, round(training_loss, 4), round(score.loss, 4))
            row += (round(score.cer, 4), round(score.wer, 4), round(rate, 7), round(pace, 5))
            table.append(dict(zip(COLUMNS, row, strict=True)))
            say(
                f"epoch {epoch:3d}  {score.source:16s} training loss {training_loss:.3f}  validation loss {score.loss:.3f}  "
                f"CER {100 * score.cer:5.2f} %  WER {100 * score.wer:5.2f} %  rate {rate:.2e}  {pace:.4f} h/s"
            )
        if sums["infinite"]:
            say(f"  {int(sums['infinite'])} utterances had no path through the network's rows")
        for one in heard[len(heard) // 6 :: max(1, len(heard) // 3)][:3]:
            say(f"  said: {one.reference}\n  read: {one.hypothesis}")
        say(f"  measured in {time.monotonic() - began:.0f} s; {minutes:.1f} min trained")
        sums = dict.fromkeys(sums, 0.0)
        if team.first:
            write_table(table, folder / "epochs.csv")
        keep(folder / f"epoch-{epoch:03d}.pt")
        keep(last)
        if loop.patience and stalled(table, loop.patience):
            say(f"no better CER for {loop.patience} epochs: stopping")
            break
    together.leave(team)
    return table


def _nothing(line: str) -> None:
    """What the other processes say."""


def schedule(step: int, progress: float, loop: LoopOptions) -> float:
    """Learning rate: linear warm-up by steps, then half a cosine down to the final rate. progress: 0…1."""
    warm = min(1.0, (step + 1) / max(1, loop.warmup_steps))
    return warm * (loop.final_rate + (loop.rate - loop.final_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def groups(network: nn.Module, loop: LoopOptions) -> list[dict[str, Any]]:
    """Parameter groups: weight decay is for matrices alone, not for biases and normalisations."""
    named = [parameter for parameter in network.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in named if parameter.ndim > 1]
    vectors = [parameter for parameter in named if parameter.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": loop.weight_decay, "scale": 1.0},
        {"params": vectors, "weight_decay": 0.0, "scale": 1.0},
    ]


def trainable(entry: cache.Entry, alphabet: Alphabet, options: RunOptions) -> bool:
    """Whether an utterance can be learned: spelled by the alphabet, and its rows can hold its labels."""
    if not entry.text.strip() or not alphabet.spells(entry.text):
        return False
    labels = alphabet.encode(entry.text)
    needed = len(labels) + sum(a == b for a, b in pairwise(labels))
    return needed <= -(-entry.frames // options.network.stack) * options.network.rows


def collate(
    entries: list[cache.Entry], frames: cache.Frames, alphabet: Alphabet
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Entries → hidden (batch, longest, dimension) float32 zero-padded, lengths, targets end to end, target lengths."""
    arrays = [frames(entry) for entry in entries]
    hidden = torch.zeros(len(arrays), max(map(len, arrays)), arrays[0].shape[1])
    for i, array in enumerate(arrays):
        hidden[i, : len(array)] = torch.from_numpy(array.astype(np.float32))
    labels = [alphabet.encode(entry.text) for entry in entries]
    return (
        hidden,
        torch.tensor([len(array) for array in arrays]),
        torch.tensor([i for one in labels for i in one]),
        torch.tensor([len(one) for one in labels]),
    )


def mask(hidden: Tensor, lengths: Tensor, loop: LoopOptions, rng: np.random.Generator) -> None:
    """Hides stretches of time and bands of features, in place; the shorter the utterance, the fewer stretches.

    Source: Park et al., SpecAugment (arXiv 1904.08779), here on the encoder's output, where frames last 20 ms.
    """
    features = hidden.shape[2]
    for i, length in enumerate(lengths.tolist()):
        for _ in range(min(loop.time_masks, 1 + length // 100)):
            width = int(rng.integers(0, int(loop.time_mask_seconds * 50) + 1))
            start = int(rng.integers(0, max(1, length - width)))
            hidden[i, start : start + min(width, length // 4)] = 0
        for _ in range(loop.feature_masks):
            width = int(rng.integers(0, int(loop.feature_mask_share * features) + 1))
            start = int(rng.integers(0, features - width + 1))
            hidden[i, :, start : start + width] = 0


def evaluate(
    network: nn.Module,
    dev: list[cache.Entry],
    frames: cache.Frames,
    alphabet: Alphabet,
    limit: int,
    team: together.Group,
) -> list[measure.Heard]:
    """Greedy decodings of the dev entries, or of `limit` of each source, spread over it; each process takes its part."""
    network.eval()
    if limit:
        by_source: dict[str, list[cache.Entry]] = {}
        for entry in dev:
            by_source.setdefault(entry.source, []).append(entry)
        dev = [entry for some in by_source.values() for entry in some[:: max(1, len(some) // limit)][:limit]]
    dev = [entry for entry in dev if entry.text.strip() and alphabet.spells(entry.text)]

    def stream() -> Iterator[tuple[Tensor, Tensor, list[str], list[str]]]:
        for some in batches.pack([entry.seconds for entry in dev], 120.0)[team.rank :: team.size]:
            hidden, lengths, _, _ = collate([dev[i] for i in some], frames, alphabet)
            yield hidden, lengths, [dev[i].text for i in some], [dev[i].source for i in some]

    heard = together.gathered(measure.listen(stream(), network, alphabet), team)
    return sorted(heard, key=lambda one: (one.source, one.reference))


def stalled(table: list[dict[str, Any]], patience: int) -> bool:
    """Whether the last `patience` epochs brought no better CER over all sources."""
    last = table[-1]["source"]
    rates = [row["cer"] for row in table if row["source"] == last]
    return len(rates) > patience and min(rates[-patience:]) >= min(rates[:-patience])


def write_table(table: list[dict[str, Any]], path: Path) -> None:
    """The epoch table as CSV."""
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(table)
    temporary.replace(path)


def _same_network(found: RunOptions, wanted: RunOptions, path: Path) -> None:
    if found.network != wanted.network:
        raise TrainingError(f"{path} is of another network: train into another folder with --out, or delete it")
